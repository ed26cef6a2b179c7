"""A plan written as a module of its own, which does to another model what was tried."""

from __future__ import annotations

import ast
import sys
from typing import Any

import pytest
import torch
from torch import nn

from gradcheck_cli.trials import edits
from gradcheck_cli.trials.patch import patch_source
from gradcheck_cli.trials.planning import Edit, Plan

X = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.Sigmoid(), nn.Linear(4, 4), nn.Sigmoid())


def executed(source: str) -> dict[str, Any]:
    scope: dict[str, Any] = {"__name__": "patch"}
    exec(compile(source, "patch.py", "exec"), scope)
    return scope


PLACES = {("1", "sigmoid", None), ("3", "sigmoid", 0)}
PLANS = {
    "swap": Plan(edits=(Edit(function=edits.swap_activations, arguments={"places": PLACES, "to": "relu"}),)),
    "draw": Plan(
        edits=(
            Edit(
                function=edits.initialise,
                arguments={"deviations": {"0.weight": 0.5, "2.weight": 0.25}, "zeroed": ("0.bias",), "seed": 3},
            ),
        )
    ),
    "two": Plan(
        edits=(
            Edit(function=edits.normalise, arguments={"places": {("0", "linear", None)}}),
            Edit(function=edits.scale_output, arguments={"factor": 0.1}),
        )
    ),
    "inputs": Plan(edits=(Edit(function=edits.standardise_inputs),)),
    "orthogonal": Plan(edits=(Edit(function=edits.orthogonalise, arguments={"names": ("0.weight",), "seed": 0}),)),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_patch_does_what_the_edits_did(name: str) -> None:
    plan, edited, patched = PLANS[name], net(), net()
    for edit in plan.edits:
        edit.apply(edited)
    apply = executed(patch_source(plan, "a title", "net.py:model"))["apply"]
    assert apply(patched) is patched
    assert torch.equal(patched(X), edited(X))
    assert not torch.equal(patched(X), net()(X))


@pytest.mark.parametrize("name", PLANS)
def test_a_patch_needs_torch_and_the_standard_library_only(name: str) -> None:
    tree = ast.parse(patch_source(PLANS[name], "a title", "net.py:model"))
    plain = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    modules = plain | {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert {module.partition(".")[0] for module in modules} <= {"torch", "__future__", *sys.stdlib_module_names}
    assert "torch" in {module.partition(".")[0] for module in modules}


def test_targets_are_prepared_where_the_plan_scales_them() -> None:
    for key, batch in ((1, (X, 1000 + X)), ("y", {"x": X, "y": 1000 + X})):
        source = patch_source(Plan(targets=key), "a title", "net.py:model")
        scope, model = executed(source), net()
        new = scope["prepare"](batch)
        assert float(new[key].mean()) == pytest.approx(0, abs=1e-4)
        assert scope["apply"](model) is model
        assert "apply(model); batch = prepare(batch)" in source
    assert "prepare" not in patch_source(PLANS["swap"], "a title", "net.py:model")


@pytest.mark.parametrize("name", ['"""', "a\\", 'x"""\nimport os', "caf\u00e9 \u2028", "{0}%s"])
def test_no_name_ends_the_docstring(name: str) -> None:
    source = patch_source(PLANS["swap"], name, name)
    doc = ast.get_docstring(ast.parse(source))
    assert doc is not None and doc.endswith("apply(model)")
    assert source.isascii()
    assert [node.names[0].name for node in ast.parse(source).body if isinstance(node, ast.Import)].count("os") == 0


def test_the_same_plan_is_the_same_patch() -> None:
    places = {(str(index), "sigmoid", None) for index in range(20)}
    sources = {
        patch_source(
            Plan(edits=(Edit(function=edits.skip, arguments={"places": set(order)}),)), "a title", "net.py:model"
        )
        for order in (sorted(places), sorted(places, reverse=True))
    }
    assert len(sources) == 1
