"""--baseline, --update-baseline and --drift of `check` and `batch`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gradcheck_cli.reports import FORMATS
from tests.reports.examples import failed, healthy, vanishing

HEALTHY = """\
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
batch = (torch.randn(16, 4), torch.arange(16) % 3)
loss = nn.functional.cross_entropy
"""
ILL = HEALTHY.replace("nn.ReLU()", "*[nn.Sequential(nn.Linear(8, 8), nn.Sigmoid()) for _ in range(20)]")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def known() -> tuple[str, ...]:
    return ("check", "m.py", "--baseline", "b.json")


def test_a_check_is_updated_known_and_fixed(stub, gradcheck, folder: Path) -> None:
    assert gradcheck(*known(), "--update-baseline").code == 0
    ended = gradcheck(*known())
    assert ended.code == 0
    assert "GC201 error (known)" in ended.out
    assert ended.out.splitlines()[-1].startswith("1 error · 1 known · ")
    stub.outcome = healthy()
    assert "fixed since the baseline: GC201" in gradcheck(*known()).out
    gradcheck(*known(), "--update-baseline")
    assert json.loads((folder / "b.json").read_text())["checks"]["m.py"]["findings"] == {}
    stub.outcome = vanishing()
    assert gradcheck(*known()).code == 1


def test_an_update_of_one_check_keeps_the_others(stub, gradcheck, folder: Path) -> None:
    for name in ("m.py", "n.py"):
        gradcheck("check", name, "--baseline", "b.json", "--update-baseline")
    assert sorted(json.loads((folder / "b.json").read_text())["checks"]) == ["m.py", "n.py"]


def test_the_baseline_reaches_the_check_as_its_drift(stub, gradcheck) -> None:
    gradcheck(*known(), "--update-baseline", "--drift", "2")
    gradcheck(*known(), "--drift", "2")
    assert stub.specs[0].drift is None
    assert stub.specs[1].drift.limit == 2
    assert stub.specs[1].drift.before["layers.6"] == -3.1
    assert "layers.1" not in stub.specs[1].drift.before  # it was ill then


def test_a_failed_check_is_not_baselined(stub, gradcheck, folder: Path) -> None:
    stub.outcome = failed()
    assert gradcheck(*known(), "--update-baseline").code == 2
    assert json.loads((folder / "b.json").read_text())["checks"] == {}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--baseline", "b.json"), "b.json: there is no such baseline"),
        (("--baseline", "."), "is a folder"),
        (("--update-baseline",), "--update-baseline needs a file"),
        (("--drift", "1"), "drift is told against a baseline"),
        (("--baseline", "bad.json"), "bad.json: not a baseline: "),
    ],
)
@pytest.mark.parametrize("command", ["check", "batch"])
def test_what_cannot_be_is_one_message(
    stub, gradcheck, folder: Path, command: str, options: tuple[str, ...], told: str
) -> None:
    (folder / "bad.json").write_text("{")
    (folder / "m.py").write_text(HEALTHY)
    (folder / "gradcheck.yaml").write_text("version: 1\nchecks: [{model: m.py}]\n")
    ended = gradcheck(command, *(("m.py",) if command == "check" else ("gradcheck.yaml",)), *options)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
    assert ended.err.count("error: ") == 1


def test_a_baseline_that_cannot_be_written_is_one_message(stub, gradcheck) -> None:
    ended = gradcheck("check", "m.py", "--baseline", "no/b.json", "--update-baseline")
    assert ended.code == 2
    assert "no/b.json: cannot be written" in ended.err


def marks() -> dict[str, str]:
    return {
        "table": "GC201 error (known)",
        "json": '"known": true',
        "markdown": "**GC201 note (known)**",
        "html": "GC201 error (known)",
        "github": "::notice ",
        "junit": 'failures="0"',
        "sarif": '"baselineState": "unchanged"',
    }


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_tells_what_is_known(stub, gradcheck, format: str) -> None:
    gradcheck(*known(), "--update-baseline")
    ended = gradcheck(*known(), "--format", format)
    assert ended.code == 0
    assert marks()[format] in ended.out


def test_in_a_failing_report_what_is_new_comes_first(stub, gradcheck) -> None:
    gradcheck(*known(), "--update-baseline")
    old = vanishing()
    new = replace(old.findings[0], code="GC401", rule="graph-cut")
    stub.outcome = replace(old, findings=(*old.findings, new))
    ended = gradcheck(*known(), "--format", "github")
    assert ended.code == 1
    assert [line.partition(" ")[0] for line in ended.out.splitlines()] == ["::error", "::notice", "gradcheck:"]


def test_a_suite_from_its_file_to_its_baseline_and_back(gradcheck, folder: Path) -> None:
    (folder / "sub").mkdir()
    for name, text in (("healthy", HEALTHY), ("ill", ILL)):
        (folder / "sub" / f"{name}.py").write_text(text)
    config = folder / "sub" / "gradcheck.yaml"
    config.write_text(
        "version: 1\nbaseline: known.json\ndefaults: {drift: 0.5}\nchecks: [{model: healthy.py}, {model: ill.py}]\n"
    )
    assert gradcheck("batch", str(config)).code == 2
    assert gradcheck("batch", str(config), "--update-baseline").code == 0
    first = (folder / "sub" / "known.json").read_text()
    assert sorted(json.loads(first)["checks"]) == ["healthy.py", "ill.py"]
    assert gradcheck("batch", str(config)).code == 0

    (folder / "sub" / "ill.py").write_text(HEALTHY)
    scaled = HEALTHY.replace("nn.functional.cross_entropy", "lambda o, t: 20 * nn.functional.cross_entropy(o, t)")
    (folder / "sub" / "healthy.py").write_text(scaled)
    suite = json.loads((ended := gradcheck("batch", str(config), "--format", "json")).out)
    moved, fixed = suite["checks"]
    assert ended.code == 1
    assert [(f["code"], f["known"]) for f in moved["findings"]] == [("GC620", False)]
    assert (fixed["status"], fixed["exit_code"]) == ("healthy", 0)
    assert len(suite["notes"]) == 1
    assert suite["notes"][0].startswith("ill.py: fixed since the baseline: GC201 `")

    gradcheck("batch", str(config), "-k", "ill", "--update-baseline")
    entries = json.loads((folder / "sub" / "known.json").read_text())["checks"]
    assert entries["healthy.py"] == json.loads(first)["checks"]["healthy.py"]
    assert entries["ill.py"]["findings"] == {}
