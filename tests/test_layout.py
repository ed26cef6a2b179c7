"""Every module with logic has a test module that mirrors it."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import gradcheck_cli

PACKAGE = Path(gradcheck_cli.__file__).parent
TESTS = Path(__file__).parent


def defines_a_function(source: str) -> bool:
    """Whether a module defines a function or a method, anywhere in it."""
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(ast.parse(source)))


def modules_with_logic() -> list[Path]:
    """Such modules of the package, as paths from its folder."""
    files = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    return [path.relative_to(PACKAGE) for path in files if defines_a_function(path.read_text(encoding="utf-8"))]


def mirrors_of(module: Path) -> tuple[Path, ...]:
    """Where the tests of a module may stand; `__main__` has a name that is awkward to repeat."""
    names = dict.fromkeys((module.stem, module.stem.strip("_")))
    return tuple(TESTS / module.parent / f"test_{name}.py" for name in names)


def test_every_module_with_logic_has_a_test_module_of_its_own() -> None:
    missing = [
        f"{module.as_posix()} wants {mirrors_of(module)[-1].relative_to(TESTS.parent).as_posix()}"
        for module in modules_with_logic()
        if not any(mirror.is_file() for mirror in mirrors_of(module))
    ]
    assert not missing, "modules without a test module:\n  " + "\n  ".join(missing)


def test_every_test_module_that_mirrors_one_holds_a_test() -> None:
    mirrors = [mirror for module in modules_with_logic() for mirror in mirrors_of(module) if mirror.is_file()]
    empty = [mirror.name for mirror in mirrors if "def test_" not in mirror.read_text(encoding="utf-8")]
    assert mirrors and not empty, f"without a test: {empty}"


SHARED_CLASSES = {
    "Report": "the record of a report, and the public one that also shows itself: the same report",
}
"""Classes of one name in two modules, with the reason; nothing else may share a name."""


def test_no_two_classes_share_a_name() -> None:
    homes = defaultdict[str, list[str]](list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(path.relative_to(PACKAGE).as_posix())
    shared = {name: places for name, places in homes.items() if len(places) > 1}
    assert shared.keys() == SHARED_CLASSES.keys(), f"one name, several classes: {shared}"


SHARED_MODULES = {
    "alarms": "the alarms of a run, raised in watch, and their rows in rules",
    "copies": "units that are copies of each other, sampled in watch, judged in rules",
    "drift": "how far gradients may drift, and the rule on it",
    "loop": "faults of the loop: their rules and their remedies",
    "lossscale": "the scale of a GradScaler, taken out of a loss in target, followed over a run in watch",
    "opinions": "the second opinion, by training in trials and by the run in timeline",
    "precision": "what a low precision loses, measured and judged",
    "retrying": "updates that are made again: made in watch, recorded, told in timeline",
    "rows": "rows of a batch that stand out, found in runtime, told in rules",
    "rule": "what a rule is, and the command that shows one",
    "run": "what a run was asked to do, and the command",
    "series": "a gradient through time, as it is recorded and as it is gathered",
    "session": "the session of a run, written in watch, read as records",
    "shadow": "the copy that is trained after a run: in watch, recorded, told in timeline",
    "terms": "the terms of a loss: watched, gathered, judged",
    "traits": "traits of a model, recorded and read from a measurement",
}
"""Modules of one name in several packages: one subject, seen from each of these."""


def test_modules_of_one_name_have_one_subject() -> None:
    homes = defaultdict[str, list[str]](list)
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name != "__init__.py":
            homes[path.stem].append(path.relative_to(PACKAGE).as_posix())
    shared = {name: places for name, places in homes.items() if len(places) > 1}
    assert shared.keys() == SHARED_MODULES.keys(), f"one name, several modules: {shared}"
