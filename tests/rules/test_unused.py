"""Layers that no gradient was meant to reach: not called, frozen, asleep; and a module that should be called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradcheck_cli.records.choices import Severity
from tests.measurements import judged
from tests.rules.chains import chain, codes, unreached
from tests.rules.test_cuts import cut

# --------------------------------------------------------------------------- notes


def test_a_layer_that_was_not_called() -> None:
    found = unreached(chain([0.5, 0.5]), 0)
    modules = (found.modules[0], replace(found.modules[1], calls=0), found.modules[2])
    verdict = judged(replace(found, modules=modules))
    (finding,) = verdict.findings
    assert (finding.code, finding.severity, finding.layers) == ("GC413", Severity.NOTE, ("layers.0",))
    assert finding.message == "`layers.0` was not called"
    assert verdict.layers[0].status == "unused"


def test_a_layer_that_ran_for_nothing() -> None:
    (finding,) = judged(unreached(chain([0.5, 0.5]), 0)).findings
    assert (finding.code, finding.message) == ("GC413", "`layers.0` ran, but the output does not reach the loss")


def test_a_frozen_layer() -> None:
    verdict = judged(unreached(chain([0.5, 0.5]), 0, requires_grad=False))
    (finding,) = verdict.findings
    assert (finding.code, finding.severity, finding.layers) == ("GC414", Severity.NOTE, ("layers.0",))
    assert finding.why == "training does not change its 16 parameters"
    assert verdict.layers[0].status == "frozen"


def test_a_tower_under_no_grad_that_nothing_learns_from_is_one_note() -> None:
    found = chain([0.5] * 3)
    for index in range(2):
        found = unreached(found, index)
    cuts = tuple(replace(cut("no_grad", i, line=i, used=False), module=i + 1) for i in range(2))
    (note,) = judged(replace(found, cuts=cuts)).findings
    assert (note.code, note.cause, note.layers) == ("GC413", "detached", ("layers.0", "layers.1"))
    assert note.message == "`layers.0` and `layers.1` ran without gradients only"


def test_a_tower_in_eval_mode_beside_layers_in_train_mode_is_asleep_on_purpose() -> None:
    found = replace(unreached(chain([0.5] * 2), 0), cuts=(replace(cut("no_grad", 0), module=1),))
    assert codes(found) == [("GC401", "graph-cut")]
    modules = (found.modules[0], replace(found.modules[1], training=False), found.modules[2])
    assert codes(replace(found, modules=modules)) == [("GC413", "detached")]


# --------------------------------------------------------------------------- built and never called


@pytest.mark.parametrize(("numel", "code"), [(16, "GC409"), (2, "GC413")])
def test_a_module_that_is_never_called_is_suspected_by_its_share_of_the_weights(numel: int, code: str) -> None:
    found = unreached(chain([0.5, 0.5]), 0, numel=numel)
    modules = (found.modules[0], replace(found.modules[1], path="context", calls=0), found.modules[2])
    (finding,) = judged(replace(found, modules=modules)).findings
    assert (finding.code, finding.severity) == (code, Severity.NOTE)
    assert bool(finding.opinion) is (code == "GC409")
