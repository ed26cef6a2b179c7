"""What a rule is, and what one finds."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import About, Family, Severity
from gradcheck_cli.records.judging import FindingNumber
from gradcheck_cli.records.report import Share
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.timeline import AlarmKind

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence

FAMILIES = {
    "1": Family.NONFINITE,
    "2": Family.VANISHING,
    "3": Family.EXPLODING,
    "4": Family.NO_GRADIENT,
    "5": Family.PRECISION,
    "6": Family.DYNAMICS,
}
"""By the first digit of a code."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """What a rule found; its row adds code, name, family and, unless it is given here, the severity.

    Attributes:
        layers: The paths of the layers that are explained.
        cause: One of the causes of the rule's row.
        message: The first line that the user reads.
        why: The evidence in a sentence.
        op: The index of the op that is blamed, or the plain name of one that is not in the graph.
        source: The user's line; that of the op at `op` if None.
        numbers: What was measured, by name.
        severity: Where it differs from the row's.
        shares: Where the decades of the layer that is told of were lost or won.
        doubt: What has to be trained to decide it, where its numbers alone make it a suspicion.
    """

    layers: tuple[str, ...] = ()
    cause: str
    message: str
    why: str
    op: int | str | None = None
    source: SourceLine | None = None
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)
    severity: Severity | None = None
    shares: tuple[Share, ...] = ()
    doubt: About | None = None


Diagnoses = Iterator[Diagnosis]


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleRow:
    """What the rows of every table of rules tell.

    Attributes:
        code: Its stable code; the first digit is its family's.
        name: Its name, for people.
        severity: How bad what it finds is, unless it says otherwise.
        causes: What it can name as the cause.
    """

    code: str
    name: str
    severity: Severity
    causes: tuple[str, ...]

    @property
    def family(self) -> Family:
        """What its code's first digit stands for."""
        return FAMILIES[self.code[2]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule(RuleRow):
    """One row of the table of rules: all that is known of a rule but how it looks for what it finds.

    Attributes:
        check: Finds; its docstring is the rule's only explanation.
        reading: Reads the number that a finding was raised on, of these layers, again from other evidence.
        triable: Whether remedies for it are tried on copies of the model.
        silences: Prefixes of the codes that need not be looked for, below it in the table, once it has found something.
    """

    check: Callable[[Evidence], Diagnoses]
    reading: Callable[[Evidence, Sequence[str]], FindingNumber | None] | None = None
    triable: bool = False
    silences: tuple[str, ...] = ()

    @property
    def explanation(self) -> str:
        """The docstring of its function, without indentation."""
        return inspect.cleandoc(self.check.__doc__ or "")


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmRule(RuleRow):
    """One row of the tables of alarms of a run.

    Attributes:
        causes: What it names where the step's diagnosis names no cause that explains it; the first is what is named.
        kind: The alarms that it tells of.
        explained_by: The families of findings that can explain such an alarm.
        explanation: What it means, for people.
    """

    kind: AlarmKind
    explained_by: frozenset[Family]
    explanation: str

    @property
    def reason(self) -> str:
        """Why it matters: the first sentence of the second paragraph of its explanation, as one that goes on."""
        paragraph = self.explanation.split("\n\n")[1].replace("\n", " ")
        sentence = re.split(r"(?<=[\w)])\. ", paragraph.removesuffix("."), maxsplit=1)[0]
        return sentence[0].lower() + sentence[1:]

    @property
    def family(self) -> Family:
        """Non-finite values are told as such; all others are of the course of training."""
        return Family.NONFINITE if self.kind is AlarmKind.NONFINITE else Family.DYNAMICS
