"""Evidence in, findings out: one table of rules, each a row and a pure function."""

from gradcheck_cli.rules.alarms import ALARMS, SLOW, alarm_finding, because, explaining, row_of, stands
from gradcheck_cli.rules.choosing import EVERY_RULE, chosen, fits_a_rule, no_such_rule, patterns
from gradcheck_cli.rules.enquiries import questions
from gradcheck_cli.rules.judge import judge, read
from gradcheck_cli.rules.loop import LOOP
from gradcheck_cli.rules.rows import standing_out
from gradcheck_cli.rules.rule import AlarmRule, Rule
from gradcheck_cli.rules.ruletable import BY_CODE, RULES
from gradcheck_cli.rules.updates import steps_wanted
from gradcheck_cli.rules.waivers import waive

__all__ = [
    "ALARMS",
    "BY_CODE",
    "EVERY_RULE",
    "LOOP",
    "RULES",
    "SLOW",
    "AlarmRule",
    "Rule",
    "alarm_finding",
    "because",
    "chosen",
    "explaining",
    "fits_a_rule",
    "judge",
    "no_such_rule",
    "patterns",
    "questions",
    "read",
    "row_of",
    "standing_out",
    "stands",
    "steps_wanted",
    "waive",
]
