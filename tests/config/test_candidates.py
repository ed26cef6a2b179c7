"""Which models `gradcheck init` finds, by reading alone."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pytest

from gradcheck_cli.cli import run
from gradcheck_cli.config import load_config
from gradcheck_cli.config.candidates import Candidate, find_candidates, models_in


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def build_model(): ...", [("build_model", ())]),
        ("def build_model(width, depth=2, *, act): ...", [("build_model", ("width", "act"))]),
        ("model = Net()", [("model", ())]),
        ("model = 'a name'", []),
        ("def make_model(n): ...\nnet = Net()\nclass A(nn.Module): ...", [("net", ())]),
        ("class A(nn.Module): ...", [("A", ())]),
        ("class A(Module):\n  def __init__(self, n): ...", [("A", ("n",))]),
        ("class A(nn.Module):\n  def __init__(self, n): ...\nclass B(A): ...", [("B", ("n",))]),
        ("class Block(nn.Module): ...\nclass Net(nn.Module):\n  def f(self): Block()", [("Net", ())]),
        ("class A(object): ...\ndef other(): ...", []),
        ("class A(A): ...", []),
        ("if True:\n  model = Net()", []),
    ],
)
def test_models_of_a_file(source: str, found: list[tuple[str, tuple[str, ...]]]) -> None:
    assert models_in(ast.parse(source)) == found


def tree(folder: Path) -> None:
    files = {
        "nets.py": "import torch\nraise SystemExit('imported')\ndef build_model(): ...",
        "deep/er.py": "from torch import nn\nclass Net(nn.Module):\n  def __init__(self, width): ...",
        "plain.py": "def build_model(): ...",
        "broken.py": "import torch\nclass (",
        "binary.py": "torch\0",
        "test_nets.py": "import torch\ndef build_model(): ...",
        ".hidden/nets.py": "import torch\ndef build_model(): ...",
        "env/nets.py": "import torch\ndef build_model(): ...",
        "env/pyvenv.cfg": "",
        "odd 'name\".py": "import torch\nmodel = make()",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")


def test_models_of_a_folder(tmp_path: Path) -> None:
    tree(tmp_path)
    assert find_candidates(tmp_path) == (
        Candidate(model="nets.py:build_model"),
        Candidate(model="odd 'name\".py:model"),
        Candidate(model="deep/er.py:Net", needs=("width",)),
    )


def test_init_writes_a_file_that_passes_its_own_check(tmp_path: Path, capsys, monkeypatch) -> None:
    tree(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    assert capsys.readouterr().out == "wrote gradcheck.yaml: 2 checks, and 1 model to complete\n"
    text = Path("gradcheck.yaml").read_text(encoding="utf-8")
    assert [check.spec.model for check in load_config(Path("gradcheck.yaml"), {})] == [
        "nets.py:build_model",
        "odd 'name\".py:model",
    ]
    uncommented = text.replace("  # - model", "  - model").replace("  #   set: {width: ...}", "    set: {width: 1}")
    Path("gradcheck.yaml").write_text(uncommented, encoding="utf-8")
    assert len(load_config(Path("gradcheck.yaml"), {})) == 3


def test_a_chain_of_2000_classes_and_a_circle_of_two_are_read(tmp_path: Path) -> None:
    chain = "import torch\nclass N0(torch.nn.Module):\n    def __init__(self, width): pass\n"
    chain += "".join(f"class N{n + 1}(N{n}): pass\n" for n in range(2000))
    (tmp_path / "chain.py").write_text(chain)
    (tmp_path / "circle.py").write_text(
        "import torch\nclass A(B, torch.nn.Module): pass\nclass B(A): pass\nclass C(B): pass\n"
    )
    found = {each.model: each.needs for each in find_candidates(tmp_path)}
    assert found == {"chain.py:N2000": ("width",), "circle.py:C": ()}


def test_a_name_that_no_text_can_hold_is_left_out(tmp_path: Path) -> None:
    for name in ("a\udcff.py", "b.py"):
        (tmp_path / name).write_text("import torch\nclass Net(torch.nn.Module): pass\n")
    assert [each.model for each in find_candidates(tmp_path)] == ["b.py:Net"]
