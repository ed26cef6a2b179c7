"""Evidence in, findings out: one table of rules, each a row and a pure function."""

from gradcheck_cli.rules.asking import questions
from gradcheck_cli.rules.choosing import chosen, fits_a_rule, no_such_rule, patterns
from gradcheck_cli.rules.judge import judge, read
from gradcheck_cli.rules.rule import Rule
from gradcheck_cli.rules.table import BY_CODE, RULES
from gradcheck_cli.rules.updates import steps_wanted

__all__ = [
    "BY_CODE",
    "RULES",
    "Rule",
    "chosen",
    "fits_a_rule",
    "judge",
    "no_such_rule",
    "patterns",
    "questions",
    "read",
    "steps_wanted",
]
