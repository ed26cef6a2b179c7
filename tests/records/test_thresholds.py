"""Thresholds: one table of numbers, each with its rule, unit, bounds, meaning and source."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gradcheck_cli
from gradcheck_cli.records.thresholds import BOUNDS, TUNABLE, Thresholds
from gradcheck_cli.rules import EVERY_RULE


@pytest.mark.parametrize("name", BOUNDS)
def test_a_threshold_belongs_to_a_rule_and_lies_within_its_bounds(name: str) -> None:
    bounds = BOUNDS[name]
    assert bounds.rule in {rule.code for rule in EVERY_RULE}
    assert bounds.low <= getattr(Thresholds(), name) <= bounds.high
    assert bounds.movable == (bounds.low < bounds.high) == (name in TUNABLE)
    assert bounds.unit and bounds.meaning.endswith(".")


KNOWN = re.compile(r"Definition: |Derivation: |Paper: |Measured \(python -m ")


@pytest.mark.parametrize("name", BOUNDS)
def test_a_threshold_says_how_it_is_known(name: str) -> None:
    source = BOUNDS[name].source
    assert KNOWN.match(source) and source.endswith("."), source
    assert set(re.findall(r"`(\w+)`", source)) <= set(BOUNDS) - {name}
    for command in re.findall(r"python -m ([\w.]+)", source):
        assert importlib.util.find_spec(command), f"{command} is no module that can be run"


def test_the_table_holds_every_field() -> None:
    assert list(BOUNDS) == [field.name for field in dataclasses.fields(Thresholds)]


# --------------------------------------------------------------------------- numbers elsewhere

ELSEWHERE = {
    "how far an op's neighbours are looked at, or how many of them": {
        "rules": "_GATE_REACH _LOSS_OPS _CHOICE_REACH _STEPS",
        "evidence": "_FAR _KERNEL _LOG_REACH _GATE_REACH _LOSS_OPS _MOST _STEPS _REACH",
        "probe": "_LAST_FED",
    },
    "how much is looked at or tried, for its cost": {
        "rules": "_FEW",
        "trials": "LARGEST CLOCK PASSES MOST STEPS LONGER",
        "probe": "_MOST _LOOKED_AT _MOST_SUSPECTS _DIRECTIONS _LARGEST_WEIGHT _SAMPLE _SQUARINGS _ROWS MANY STEP",
    },
    "too few rows to say anything of": {"probe": "_LEAST_ROWS FEWEST _FEW"},
    "what a dtype holds": {"rules": "_LEAST_OF_HALF _LOWEST _LARGEST _LARGE"},
    "which words tell it best": {"rules": "MOST _WORTH_NAMING _NEARLY", "probe": "_SHOWN"},
    "what a remedy is tried with": {"trials": "THRESHOLDS HORIZON _GAINS _ROW _LR _SLOW PLAIN", "remedies": "_GUARDS"},
    "whether a line that was rewritten still computes the same": {"trials": "KEPT NEAR PARTED"},
    "an order": {"trials": "RANK", "remedies": "_PLACES"},
    "a formula": {"probe": "LENSES"},
    "a default of torch's": {"remedies": "USUAL_GROWTH"},
}
"""By reason, the constants that hold a number and decide no verdict, or cannot be anything else."""
COMPARED = {
    "rules": {
        "(lens.dead or 0.0) + (lens.always or 0.0) >= 1.0 - 1e-06",  # two shares that make a whole, but for rounding
        "scales[-1] > 10 * scales[0]",  # words
        "10 ** min(digits, 3) <= abs(value) < 1000000.0",
        "decades < 4",
        "0 < 100 * share < smallest / 2",
    },
    "trials": {
        "3 * one > CLOCK",  # a trial takes three passes at least
        "value.ndim >= 4",
        "deviation > 1e-06 * mean.abs() + 1e-30",  # a column that is constant, but for rounding
        "r > 1.01",  # an outlier of the radii, for the remedy's number
        "0 < abs(n) < 0.03",  # a factor that scales a branch, for the remedy's place
    },
    "probe": {"n < 1e+150", "table.dim() < 3"},  # squares that float64 holds
}
"""Comparisons with a number that is written out."""
PLAIN = {0, 1, 2, -1, 0.5}


def numbers_in(node: ast.AST) -> bool:
    """Whether a number that is no plain one is written in it."""
    found = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant))
    return any(type(value) in (int, float) and value not in PLAIN for value in found)


def written(package: str) -> Iterator[tuple[Path, ast.stmt | ast.Compare, ast.Module]]:
    """The constants of modules that hold a number, and the comparisons with one, with the module that they are in."""
    for path in sorted((Path(gradcheck_cli.__file__).parent / package).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for each in tree.body:
            if isinstance(each, ast.Assign | ast.AnnAssign) and each.value is not None and numbers_in(each.value):
                yield path, each, tree
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and numbers_in(node):
                yield path, node, tree


@pytest.mark.parametrize("package", ["rules", "evidence", "probe", "trials", "remedies"])
def test_no_number_that_decides_hides_in_a_module(package: str) -> None:
    known = {name for by_package in ELSEWHERE.values() for name in by_package.get(package, "").split()}
    compared = COMPARED.get(package, set())
    found = set()
    for path, each, _ in written(package):
        told = ast.unparse(each) if isinstance(each, ast.Compare) else name_of(each)
        if told not in known | compared and "near_decades" not in told:
            found.add(f"{path.name}: {told}")
    assert not found, "move these to records/thresholds.py, with a source: " + ", ".join(sorted(found))


def name_of(assigned: ast.stmt) -> str:
    """The first name that an assignment of a module gives."""
    target = assigned.targets[0] if isinstance(assigned, ast.Assign) else assigned.target
    return ast.unparse(target.elts[0] if isinstance(target, ast.Tuple) else target)


@pytest.mark.parametrize("package", ["watch", "timeline"])
def test_a_number_of_a_run_says_what_it_is_for(package: str) -> None:
    """What raises and judges alarms is in records/alarmlimits.py, each with its reason."""
    silent = [
        f"{path.name}: {name_of(each)}"
        for path, each, tree in written(package)
        if isinstance(each, ast.Assign) and path.parent.name != "boot" and not explained(path, each, tree)
    ]
    assert not silent, silent


def explained(path: Path, constant: ast.Assign, module: ast.Module) -> bool:
    """Whether a comment stands beside it, or a docstring under it or under the constants that follow it."""
    if "  # " in path.read_text(encoding="utf-8").splitlines()[(constant.end_lineno or 1) - 1]:
        return True
    following = iter(module.body[module.body.index(constant) + 1 :])
    after = next((each for each in following if not isinstance(each, ast.Assign)), None)
    return isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
