"""Healthy architectures of real libraries get neither an error nor a finding above a note."""

from __future__ import annotations

import warnings

import pytest
import torch

from . import ARCHITECTURES, MISSING, SLICE, Architecture

IN_CI = [a for a in ARCHITECTURES if a.name in SLICE]
IN_SWEEP = [a for a in ARCHITECTURES if a.name not in SLICE]


@pytest.fixture(autouse=True)
def _one_quiet_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own
        yield
    torch.set_num_threads(threads)


def assert_healthy(architecture: Architecture) -> None:
    from gradcheck_cli.pipeline import check

    model, batch, step = architecture.build()
    report = check(model, batch, step=step)
    alarms = [f for f in report.findings if f.severity in ("error", "warning")]
    assert not alarms, f"{architecture.name} trains, yet:\n" + "\n".join(f"  {f}" for f in alarms)
    assert report.status != "failed", report


@pytest.mark.parametrize("architecture", IN_CI, ids=lambda a: a.name)
def test_slice(architecture):
    assert_healthy(architecture)


@pytest.mark.sweep
@pytest.mark.parametrize("architecture", IN_SWEEP, ids=lambda a: a.name)
def test_sweep(architecture):
    assert_healthy(architecture)


@pytest.mark.parametrize("library", MISSING)
def test_library_is_missing(library):
    pytest.skip(f"{library} is not installed: its architectures were not checked")
