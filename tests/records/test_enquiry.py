"""Questions are false where nothing is asked."""

from __future__ import annotations

import dataclasses

import pytest

from gradcheck_cli.records.enquiry import Enquiry, Questions


def test_no_question() -> None:
    assert not Questions()
    assert Enquiry() == Enquiry(zeroed=None, mean=None)


@pytest.mark.parametrize(
    "asked", [Questions(nulls=True), Questions(profile=True), Questions(steep=0), Questions(functions=(0,))]
)
def test_any_question_counts_also_about_the_first_module(asked: Questions) -> None:
    assert asked


def test_both_are_frozen() -> None:
    for record in (Questions(), Enquiry()):
        with pytest.raises(dataclasses.FrozenInstanceError):
            record.profile = ()  # type: ignore[misc, assignment]
