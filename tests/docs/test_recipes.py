"""CONTRIBUTING.md: its recipes touch the files that they name and no others, and what they make works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.recipes import END, RECIPES, Recipe

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EVERY_RECIPE = pytest.mark.parametrize(("recipe", "count"), RECIPES, ids=lambda value: getattr(value, "heading", None))


def section(recipe: Recipe) -> str:
    return TEXT.partition(f"### {recipe.heading}\n")[2].partition("\n### ")[0]


def changed(text: str, edits: dict[str, str]) -> str:
    for anchor, put in edits.items():
        assert anchor == END or text.count(anchor) == 1, f"stands there {text.count(anchor)} times: {anchor}"
        text = text + put if anchor == END else text.replace(anchor, put)
    return text


def test_every_file_and_command_that_it_names_is_there() -> None:
    named = re.findall(r"`((?:gradcheck_cli|tests|docs)/[\w/.*-]+|\.ci/run|constraints\.txt)`", TEXT)
    modules = [module.replace(".", "/") for module in re.findall(r"python -m (tests\.[\w.]+)", TEXT)]
    named += [f"{path}/__main__.py" if (ROOT / path).is_dir() else f"{path}.py" for path in modules]
    generic = [path for path in named if "NAME" in path or "CODE" in path]
    assert len(named) > 20 and len(generic) == 3
    assert [path for path in named if path not in generic and not list(ROOT.glob(path))] == []


def test_what_it_runs_is_what_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("<!-- test command -->")[2]
    command = readme.partition("```bash\n")[2].partition("\n```")[0]
    wanted = [part.strip() for part in command.split("&&")][2:]
    assert wanted and all(part in TEXT for part in wanted)


@EVERY_RECIPE
def test_a_recipe_names_each_file_that_it_touches(recipe: Recipe, count: int) -> None:
    assert len(recipe.files) == count == len(re.findall(r"^\d\. ", section(recipe), re.MULTILINE))
    told = section(recipe).replace("NAME.py", "lines.py")
    assert [path for path in recipe.files if f"`{path}`" not in told] == []


@EVERY_RECIPE
def test_a_recipe_fits_the_files_as_they_are(recipe: Recipe, count: int) -> None:
    for name, edits in recipe.edits.items():
        assert changed((ROOT / "gradcheck_cli" / name).read_text(encoding="utf-8"), edits)
    assert not any((ROOT / "gradcheck_cli" / name).exists() for name in recipe.module)


@pytest.mark.sweep
@EVERY_RECIPE
def test_a_recipe_is_carried_out_in_a_scratch_copy(recipe: Recipe, count: int, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "cases"))
    for name, edits in recipe.edits.items():
        path = copy / "gradcheck_cli" / name
        path.write_text(changed(path.read_text(encoding="utf-8"), edits), encoding="utf-8")
    for name, text in {f"gradcheck_cli/{name}": text for name, text in recipe.module.items()}.items():
        (copy / name).write_text(text, encoding="utf-8")
    for name, text in recipe.beside.items():
        (copy / name).write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}

    def runs(*arguments: str) -> int:
        done = subprocess.run([sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True)
        print(done.stdout[-3000:], done.stderr[-3000:])
        return done.returncode

    assert runs("-c", recipe.holds) == 0
    assert runs("-m", "tests.docs.pages", "--write") in (0, 1)  # 1 where pages followed
    pages = ["tests/docs/test_pages.py::test_every_page_is_current"]
    assert runs("-m", "pytest", "-p", "no:cacheprovider", "tests/test_layout.py", *pages, *recipe.tests.split()) == 0
    assert runs("-m", "mypy", "gradcheck_cli") == 0
    assert runs("-m", "ruff", "check", "gradcheck_cli") == 0
