"""The names of what a model has that remedies act on."""

from __future__ import annotations

import pytest

from gradcheck_cli.records.choices import Family
from gradcheck_cli.records.traits import Trait, named, traits_of_family


def test_every_trait_is_named_in_lower_case_with_hyphens() -> None:
    for trait in Trait:
        assert named(trait.name.lower().replace("_", "-")) == {trait}
    assert named("cross-entropy|binary") == {Trait.CROSS_ENTROPY, Trait.BINARY}


def test_there_is_none_of_another_name() -> None:
    with pytest.raises(KeyError):
        named("left-handed")


@pytest.mark.parametrize("family", Family)
def test_a_gradient_vanishes_in_two_families(family: Family) -> None:
    assert (Trait.VANISHING in traits_of_family(family)) == (family in (Family.VANISHING, Family.NO_GRADIENT))
    assert (Trait.UPDATED in traits_of_family(family)) == (family is Family.DYNAMICS)
