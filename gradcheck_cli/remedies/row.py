"""What a row of the catalogue holds: all that is known of a remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from gradcheck_cli.records.report import Remedy
from gradcheck_cli.records.traits import Trait, Traits, named


class TrialKind(Enum):
    """How a remedy is tried on a copy of the model."""

    EDIT = "the copy is edited, measured again, and trained"
    TRAINING = "the copy is trained by another recipe"
    BY_HAND = "it changes the user's code in a way that only they can choose"


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """What a model has to have, or must not have, for a remedy to apply.

    Attributes:
        cause: Of which cause this is asked; "" for all.
        traits: Any one of these.
        wanted: Whether it has to be there.
    """

    cause: str
    traits: Traits
    wanted: bool

    def met(self, cause: str, traits: Traits) -> bool:
        """Whether a model with these traits, ill from this cause, meets it."""
        return self.cause not in ("", cause) or bool(self.traits & traits) is self.wanted


@dataclass(frozen=True, kw_only=True, slots=True)
class RemedyRow:
    """One remedy: its words, the causes that it serves, each with its place among their remedies, and its trial.

    `conditions` have to be met for it to be shown; `codes` holds the line to paste where a model has a trait, and
    `variants` the remedy in other words where it acts on something else.
    """

    remedy: Remedy
    causes: Mapping[str, int]
    tried: TrialKind
    conditions: tuple[Condition, ...] = ()
    codes: Mapping[Trait, str] = field(default_factory=dict)
    variants: Mapping[Trait, Remedy] = field(default_factory=dict)

    def applies(self, cause: str, traits: Traits) -> bool:
        """Whether it can do anything for a model with these traits."""
        return all(condition.met(cause, traits) for condition in self.conditions)

    def worded(self, traits: Traits) -> Remedy:
        """The remedy in the words, and with the line, that fit such a model."""
        for trait, variant in self.variants.items():
            if trait in traits:
                return variant
        code = next((code for trait, code in self.codes.items() if trait in traits), self.remedy.code)
        return replace(self.remedy, code=code)


def remedy(
    name: str,
    title: str,
    detail: str,
    code: str = "",
    *,
    causes: str,
    unless: str,
    source: str,
    tried: TrialKind = TrialKind.BY_HAND,
    needs: str = "",
    never: str = "",
    codes: Mapping[str, str] | None = None,
    variants: Mapping[str, Mapping[str, Any]] | None = None,
) -> RemedyRow:
    """One row.

    Args:
        name: Its id.
        title: What to do, in a few words.
        detail: Why it works.
        code: A line to paste.
        causes: `cause:place` for each cause that it serves; place 1 is tried first.
        unless: Where not to use it.
        source: A paper, or a page of the documentation.
        tried: How it is tried.
        needs: What the model has to have, as `trait|trait`, one of which is enough, or `cause:trait|trait` where it is
            asked for one cause only.
        never: What it must not have, written alike.
        codes: By trait, the line to paste where the model has it; the first that fits.
        variants: By trait, the fields of the remedy that read otherwise where the model has it; the first that fits.

    Raises:
        KeyError: There is no such trait.
    """
    pairs = (each.split(":") for each in causes.split())
    made = Remedy(id=name, title=title, detail=detail, code=code, unless=unless, source=source)
    others = ((each, replace(made, **words)) for keys, words in (variants or {}).items() for each in named(keys))
    return RemedyRow(
        remedy=made,
        causes={cause: int(place) for cause, place in pairs},
        tried=tried,
        conditions=(*_conditions(needs, wanted=True), *_conditions(never, wanted=False)),
        codes={trait: line for words, line in (codes or {}).items() for trait in named(words)},
        variants=dict(others),
    )


def _conditions(words: str, *, wanted: bool) -> Iterator[Condition]:
    for word in words.split():
        cause, _, traits = word.rpartition(":")
        yield Condition(cause=cause, traits=named(traits), wanted=wanted)
