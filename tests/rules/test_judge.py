"""A verdict over all rules: what explains what, what is shown, and what a number was read as."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from gradcheck_cli.evidence import gather
from gradcheck_cli.records.measurement import Cut, Lens, Measurement, Operand, Origin
from gradcheck_cli.records.report import Finding, Layer
from gradcheck_cli.records.spec import RuleWaiver
from gradcheck_cli.rules import judge, read
from tests.measurements import judged, stats
from tests.rules.chains import LINE, chain, codes, deep, unreached


def verdict(found: Measurement, **choice: Any) -> tuple[tuple[Layer, ...], tuple[Finding, ...]]:
    came = judged(found, **choice)
    return came.layers, came.findings


def test_healthy() -> None:
    layers, findings = verdict(chain([0.5, 0.5, 0.5], loss=2.0))
    assert findings == ()
    assert [(layer.path, layer.status) for layer in layers] == [(f"layers.{i}", "ok") for i in range(3)]
    assert [layer.grad_norm for layer in layers] == pytest.approx([0.0125, 0.025, 0.05])
    assert [layer.relative_gradient for layer in layers] == pytest.approx([0.0125, 0.025, 0.05])
    assert [layer.elasticity for layer in layers] == pytest.approx([0.00625, 0.0125, 0.025])


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("slopes", [[0.5] * 3, [1e-3] * 5])
def test_the_scale_of_the_loss_does_not_matter(slopes: list[float], scale: float) -> None:
    """Everything below the loss is scaled alike, as `loss * scale` would."""
    plain = chain(slopes)
    ops = [
        o._replace(total=o.total * (scale if i else 1), edges=tuple(e._replace(norm=e.norm * scale) for e in o.edges))
        for i, o in enumerate(plain.ops)
    ]
    parameters = [replace(p, grad_norm=p.grad_norm and p.grad_norm * scale) for p in plain.parameters]
    scaled = replace(plain, loss=plain.loss * scale, ops=tuple(ops), parameters=tuple(parameters))
    assert codes(scaled) == codes(plain)


# --------------------------------------------------------------------------- what explains what


OPERAND = Operand(name="self", shape=(4,), dtype="float32", smallest=0.0, largest=1.0)
ORIGIN = Origin(op="log", module=1, source=LINE, produced="nan", count=1, numel=4, operands=(OPERAND,))
CHANCE = Lens(op=0, kind="loss", per_sample=476.0, length=10)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (chain([1e-3] * 5, loss=math.nan, origin=ORIGIN, inputs=(stats("x", nan_count=1),)), ["GC103", "GC101"]),
        (chain([1e-3] * 5, loss=math.nan, origin=ORIGIN), ["GC103"]),
        (deep(("MmBackward0", 1e6)), ["GC301"]),
        (deep(("MmBackward0", 1e6), lenses=(CHANCE,)), ["GC303"]),
    ],
)
def test_what_stands_above_silences_its_consequences(found: Measurement, told: list[str]) -> None:
    assert [code for code, _ in codes(found)] == told


def test_each_of_several_cuts_is_told_also_where_they_have_one_cause() -> None:
    cuts = [Cut(op="detach", module=1, source=replace(LINE, line=n), parameters=(n,), used=True) for n in (0, 1)]
    found = unreached(unreached(chain([0.5] * 3, cuts=tuple(cuts)), 0), 1)
    _, findings = verdict(found)
    assert [(f.code, f.layers, f.source) for f in findings] == [
        ("GC401", ("layers.0",), cuts[0].source),
        ("GC401", ("layers.1",), cuts[1].source),
    ]


def test_a_layer_that_is_explained_is_not_told_again() -> None:
    """Both rules see that the sigmoids are flat; the first says so."""
    flat = Lens(op=4, kind="activation", saturated=0.99, units=32, samples=64)
    assert codes(chain([0.5, 0.0, 0.5], lenses=(flat,))) == [("GC201", "saturating-activation")]


def test_a_finding_carries_what_its_row_knows() -> None:
    (finding,) = judged(chain([0.5, 0.0, 0.5], "ReluBackward0")).findings
    assert (finding.code, finding.rule, finding.family.value) == ("GC403", "dead-activation", "no-gradient")
    assert (finding.remedies, finding.known) == ((), None)


# --------------------------------------------------------------------------- what is shown


def test_notes_stand_last() -> None:
    cut = Cut(op="detach", module=1, source=LINE, parameters=(0,), used=True)
    found = unreached(unreached(chain([0.5] * 3, cuts=(cut,)), 0), 1, requires_grad=False)
    assert [code for code, _ in codes(found)] == ["GC401", "GC414"]


def test_ignoring_a_cause_does_not_bring_up_its_consequences() -> None:
    found = chain([0.5, 0.0, 0.5], "ReluBackward0")
    assert codes(found, ignore=("GC403",)) == []
    layers, _ = verdict(found, ignore=("GC403",))
    assert [layer.status for layer in layers] == ["ok"] * 3


def test_selecting() -> None:
    cut = Cut(op="detach", module=1, source=LINE, parameters=(0,), used=True)
    found = unreached(unreached(chain([0.5] * 3, cuts=(cut,)), 0), 1, requires_grad=False)
    assert codes(found, select=("frozen",)) == [("GC414", "frozen")]
    assert codes(found, select=("GC4",), ignore=("GC414",)) == [("GC401", "graph-cut")]


def test_what_is_not_shown_is_counted_unless_it_is_a_note() -> None:
    cut = Cut(op="detach", module=1, source=LINE, parameters=(0,), used=True)
    found = unreached(unreached(chain([0.5] * 3, cuts=(cut,)), 0), 1, requires_grad=False)
    assert [judged(found, ignore=ignored).hidden for ignored in ((), ("GC401",), ("GC414",), ("GC4",))] == [0, 1, 0, 1]


def test_what_is_waived_is_told_with_its_reason() -> None:
    waiver = RuleWaiver(rule="GC403", reason="it comes back")
    came = judged(chain([0.5, 0.0, 0.5], "ReluBackward0"), waivers=(waiver,))
    assert (came.findings, came.hidden) == ((), 1)
    assert [(w.code, w.reason, w.layers) for w in came.waived] == [
        ("GC403", "it comes back", ("layers.0", "layers.1")),
    ]
    assert [layer.status for layer in came.layers] == ["ok"] * 3


# --------------------------------------------------------------------------- numbers read again


def test_the_number_of_a_finding_is_read_from_other_evidence() -> None:
    ill, well = gather(deep(("MulBackward0", 1e-6), ("MmBackward0", 1.0))), gather(deep(("MmBackward0", 1.0)))
    finding = next(f for f in judge(ill).findings if f.code == "GC201")
    told = [read(evidence, finding) for evidence in (ill, well)]
    assert [r.value for r in told if r] == pytest.approx([-6, 0])


@pytest.mark.parametrize("code", ["GC413", "GC103", "GC999"])
def test_a_rule_without_a_number_and_one_that_is_not_known_have_none(code: str) -> None:
    evidence = gather(chain([0.5, 0.0, 0.5], "ReluBackward0"))
    (finding,) = judge(evidence).findings
    assert read(evidence, finding) is not None
    assert read(evidence, replace(finding, code=code)) is None


def test_a_number_that_is_not_finite_is_none() -> None:
    lens = replace(CHANCE, per_sample=476.0)
    evidence = gather(chain([0.5], lenses=(lens,)))
    (finding,) = judge(evidence).findings
    poisoned = replace(evidence.measurement, lenses=(Lens(op=0, kind="loss", output_rms=math.inf, target_rms=1.0),))
    assert finding.code == "GC303"
    assert read(gather(poisoned), finding) is None
