"""Healthy architectures of real libraries get neither an error nor a finding above a note."""

from __future__ import annotations

import warnings

import pytest
import torch

from . import ARCHITECTURES, LIBRARIES, MISSING, SLICE, Architecture

IN_CI = [a for a in ARCHITECTURES if a.name in SLICE]
IN_SWEEP = [a for a in ARCHITECTURES if a.name not in SLICE]


STARTS_ILL = {
    "itransformer": "GC303",  # puts out 41 where the targets are 0.7; Adam mends it, and SGD at 1e-2 ends in NaN
}
"""What is rightly found in an architecture as its library initialises it."""


@pytest.fixture(autouse=True)
def _one_quiet_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own
        yield
    torch.set_num_threads(threads)


def assert_healthy(architecture: Architecture) -> None:
    from gradcheck_cli import check

    model, batch, step = architecture.build()
    report = check(model, batch, step=step)
    starts_ill = STARTS_ILL.get(architecture.name)
    alarms = [
        f"  {f.code} {f.severity.value} ({f.cause}) {f.message} {f.why}"
        for f in report.findings
        if f.severity.value in ("error", "warning") and f.code != starts_ill
    ]
    assert not alarms, f"{architecture.name} trains, yet:\n" + "\n".join(alarms)
    assert report.status.value != "failed", report


@pytest.mark.parametrize("architecture", IN_CI, ids=lambda a: a.name)
def test_slice(architecture):
    assert_healthy(architecture)


def test_names_of_slice_exist():
    assert MISSING or len(IN_CI) == len(SLICE)
    assert not [a.name for a in IN_CI if a.published]


@pytest.mark.sweep
@pytest.mark.parametrize("architecture", IN_SWEEP, ids=lambda a: a.name)
def test_sweep(architecture):
    assert_healthy(architecture)


@pytest.mark.parametrize("library", LIBRARIES)
def test_library_is_installed(library):
    if library in MISSING:
        pytest.skip(f"{library} is not installed: its architectures were not checked")
