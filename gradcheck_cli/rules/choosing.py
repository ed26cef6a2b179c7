"""Which rules `select` and `ignore` let through, and patterns that fit no rule."""

from __future__ import annotations

from collections.abc import Sequence

from gradcheck_cli.errors import UsageError
from gradcheck_cli.rules.alarms import ALARMS
from gradcheck_cli.rules.loop import LOOP
from gradcheck_cli.rules.rule import AlarmRule, Rule
from gradcheck_cli.rules.ruletable import RULES
from gradcheck_cli.words import did_you_mean

EVERY_RULE: tuple[Rule | AlarmRule, ...] = (*RULES, *ALARMS, *LOOP)
"""The rules of a step and the alarms of a run: all that can be selected, ignored and explained."""
_CODES = frozenset(rule.code for rule in EVERY_RULE)
_NAMES = frozenset(rule.name for rule in EVERY_RULE)


def chosen(code: str, name: str, select: Sequence[str], ignore: Sequence[str]) -> bool:
    """Whether code prefixes and rule names let a rule through; the longer match wins, ignoring on a tie."""

    def reach(patterns: Sequence[str]) -> int:
        return max((len(p) for p in patterns if code.startswith(p.upper()) or name == p), default=0)

    wanted, unwanted = reach(select) if select else 1, reach(ignore)
    return wanted > 0 and (not unwanted or wanted > unwanted)


def fits_a_rule(pattern: str) -> bool:
    """Whether a pattern is the name of a rule, or what a code starts with."""
    return bool(pattern) and (pattern in _NAMES or any(code.startswith(pattern.upper()) for code in _CODES))


def no_such_rule(name: str) -> str:
    """What to say of a name that fits no rule."""
    return f"no rule is called `{name}`{did_you_mean(name, sorted(_NAMES | _CODES))}"


def patterns(texts: str | Sequence[str], option: str) -> tuple[str, ...]:
    """The code prefixes and rule names in one text or several, which may hold commas.

    Raises:
        UsageError: One fits no rule.
    """
    listed = (texts,) if isinstance(texts, str) else tuple(texts)
    found = tuple(part.strip() for text in listed for part in text.split(","))
    for pattern in found:
        if not fits_a_rule(pattern):
            raise UsageError(f"{option}: {no_such_rule(pattern)}", hint="`gradcheck rule` lists them.")
    return found
