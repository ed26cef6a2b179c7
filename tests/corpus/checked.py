"""What the tool says of a case, which is checked once in a process, whoever asks about it."""

from __future__ import annotations

import warnings
from functools import cache

from gradcheck_cli import Report, check
from tests.corpus.case import Case


@cache
def checked(case: Case) -> Report:
    """The report on a case."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, batch, step = case.make()
        return check(model, batch, step=step, **case.options)
