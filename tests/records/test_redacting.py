"""Nothing of the data and no folder is left in any string of any format."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import strategies as st

import gradcheck_cli
from gradcheck_cli.records.redacting import redacted
from gradcheck_cli.records.report import Finding, Remedy, Trial
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.reports import COMPARING, FORMATS, Style, render
from gradcheck_cli.reports.comparison import compare
from gradcheck_cli.reports.jsonfile import read_saved
from tests.reports.examples import EXAMPLES, SUITES, finding, report, suite_of
from tests.sweeping import drawn
from tests.timeline.sessions import SESSIONS, nan


def why(text: str) -> str:
    return redacted(finding(("0",), why=text)).why


@pytest.mark.parametrize(
    ("told", "left"),
    [
        (
            "its input is 0 at [5, 0]; overall from -1.5 to 4.117 (32 float32)",
            "its input is … at [5, 0]; overall from … to … (32 float32)",
        ),
        (
            "row 28 of `1` reaches 95 where the others' largest is 1.1 (83 times)",
            "row 28 of `1` reaches … where the others' largest is … (83 times)",
        ),
        ("all 16 targets of this batch are 3.7", "all 16 targets of this batch are …"),
        ("all labels are of class 7", "all labels are of class …"),
        (
            "the targets run from 20 to 45, and sigmoid gives 0 to 1",
            "the targets run from … to …, and sigmoid gives … to …",
        ),
        ("the inputs are too small: their RMS is 2.1e-7", "the inputs are too small: their RMS is …"),
        ("answers 23.1 for every row", "answers … for every row"),
        ("something unheard of is 12,345.6", "something unheard of is …"),
        ("and then the code stopped with ValueError: got 3.7 for 'John'", "and then the code stopped with ValueError"),
        ("`batch.target` holds 16 NaN among 1,600 values", None),
        ("the loss is 8,250, and a blind guess gives 0.69", None),
        ("the gradient loses 8.7 decades: 5.5 in 9 sigmoid slopes (mean slope 0.241)", None),
        ("column 1 of `x` is 11,000 times the median column", None),
        ("rows 3, 5 and 7 carry it; `layers.0` and `2` learn 4e10 times slower, step 57 of 120", None),
        ("1 of 32 elements; 96 % of them", None),
    ],
)
def test_of_a_sentence_what_is_of_the_data_goes(told: str, left: str | None) -> None:
    assert why(told) == (told if left is None else left)


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("see /home/ann/secret/net.py:3 and ~/secret/x", "see net.py:3 and x"),
        (r"see C:\Users\ann\net.py and ..\secret\net.py", "see net.py and net.py"),
        ("read from data/secret/table.csv", "read from table.csv"),
        ('open("/home/ann/my runs/table.csv")', 'open("table.csv")'),
        ("|g|/|w| and https://pytorch.org/docs/stable/torch.html", None),
        ("loss = (a + b) / 2 and net(x)/self.scale", None),
    ],
)
def test_of_a_path_its_folders_go(told: str, left: str | None) -> None:
    assert redacted(SourceLine(file="a.py", line=1, code=told)).code == (told if left is None else left)


def test_a_folder_that_is_known_goes_wherever_it_stands() -> None:
    made = report(name="secret/deep/net.py:Net", notes=("beside secret/deep/Makefile", "loss/1"))
    left = redacted(made)
    assert (left.name, left.notes) == ("net.py:Net", ("beside Makefile", "loss/1"))


def test_arguments_keep_the_last_part_of_a_path() -> None:
    run = replace(
        nan().timeline(), command=("python", "/a/b/train.py", "--out=../c/d/", "e/f", "--lr", "0.1", "s3://b/k")
    )
    assert redacted(run).command == ("python", "train.py", "--out=d", "f", "--lr", "0.1", "s3://b/k")


def test_what_an_exception_of_the_script_says_goes() -> None:
    made = report(error="ValueError: patient 'John' has 3.7 in /home/ann/x.py\n  line 2; its last output:\nJohn 3.7")
    left = redacted(made).error
    assert left.startswith("ValueError") and not re.search("John|3.7|ann", left)


def test_numbers_of_a_finding_stay_where_they_are_none_of_the_data() -> None:
    made = finding(("0",), evidence={"loss": 2.5, "smallest_input": -3.5, "decades_loss": 1.0, "unheard_of": 7.5})
    assert redacted(made).evidence == {"loss": 2.5, "decades_loss": 1.0}


def test_a_patch_goes_since_it_may_hold_the_mean_of_the_data() -> None:
    remedy = Remedy(id="x", title="x", detail="x", source="docs/a/b.html", trial=Trial(patch="x = (x - 3.5) / 2.5"))
    left = redacted(finding(("0",), remedies=(remedy,))).remedies[0]
    assert (left.trial.patch, left.source) == ("", "docs/a/b.html")


@pytest.mark.parametrize("made", [*EXAMPLES.values(), *SUITES.values()])
def test_every_format_can_show_what_is_left(made) -> None:
    for format in FORMATS:
        assert render(redacted(made()), format)


@pytest.mark.parametrize("example", SESSIONS)
def test_a_run_stays_a_run(example: str) -> None:
    run = SESSIONS[example]().timeline()
    left = redacted(run)
    assert (left.status, left.exit_code, left.series, left.layers, left.overhead) == (
        run.status,
        run.exit_code,
        run.series,
        run.layers,
        run.overhead,
    )
    assert [f.code for r in left.reports for f in r.findings] == [f.code for r in run.reports for f in r.findings]
    assert redacted(left) == left


# --------------------------------------------------------------------------- planted everywhere

VALUES = (48213.7, -731.25, 61803.4)
FOLDERS = ("planted-home", "planted_folder", "planted.d")
PATHS = (f"/{FOLDERS[0]}/x.py", f"{FOLDERS[1]}/deep/x.py", f"../{FOLDERS[2]}/y.csv")


def leaks(text: str) -> list[str]:
    """Planted folders, and numbers that are a planted value as any rule would round it."""
    numbers = re.findall(r"-?\d[\d,]*\.?\d*(?:e[-+]?\d+)?", text)
    values = [n for n in numbers if any(math.isclose(_read(n), v, rel_tol=0.02) for v in VALUES)]
    return [folder for folder in FOLDERS if folder in text] + values


def _read(number: str) -> float:
    return float(number.replace(",", "") or "nan")


def test_the_test_sees_what_it_looks_for() -> None:
    assert leaks("from 48,200 to -731 or 6.2e4 in planted.d/x") == ["planted.d", "48,200", "-731", "6.2e4"]


@drawn(
    30,
    1000,
    st.sampled_from(VALUES),
    st.sampled_from(PATHS),
    st.sampled_from(sorted(EXAMPLES)),
    st.sampled_from(sorted(FORMATS)),
)
def test_planted_words_are_in_no_format(value: float, path: str, example: str, format: str) -> None:
    words = f"the output is {value:,.0f} where {path} says {value:.4g}"
    made = EXAMPLES[example]()
    planted = tuple(_planted(each, words, value, path) for each in made.findings)
    ill = replace(made, name=path, findings=planted, notes=(words,), error=made.error and words, target={"model": path})
    alarm = replace(nan().timeline().alarms[0], message=words, source=SourceLine(file=path, line=3), report=ill)
    run = replace(nan().timeline(), command=(path, f"--data={path}"), alarms=(alarm,), notes=(words,), error=words)
    for result in (ill, suite_of(ill, name=path), run):
        for verbose in (False, True):
            assert leaks(render(redacted(result), format, Style(verbose=verbose))) == []
    if format in COMPARING:
        assert leaks(render(redacted(compare(made, ill, (path, path))), format)) == []


def _planted(made: Finding, words: str, value: float, path: str) -> Finding:
    source = SourceLine(file=path, line=3, code=f'load("{path}")')
    remedies = tuple(replace(each, trial=replace(each.trial, note=words, patch=words)) for each in made.remedies)
    return replace(made, message=words, why=words, evidence={"largest_input": value}, source=source, remedies=remedies)


HEAD = """
import torch
from torch import nn
from torch.nn.functional import {loss} as loss
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))
batch = {batch}
"""
MODELS = {
    "scale": ("cross_entropy", "(torch.randn(32, 4) * 0.01 + 48213.7, torch.randint(0, 3, (32,)))"),
    "domain": ("mse_loss", "(torch.full((32, 4), -731.25), torch.zeros(32, 3))"),
    "targets": ("mse_loss", "(torch.randn(32, 4), torch.full((32, 3), 61803.4))"),
}
STEP = "def compute_loss(model, batch):\n    return (batch[0].log() * model(batch[0]).sum()).sum()\n"


def test_planted_data_is_in_no_report_of_a_suite(tmp_path: Path) -> None:
    folder = tmp_path / FOLDERS[0] / FOLDERS[2]
    folder.mkdir(parents=True)
    for name, (loss, batch) in MODELS.items():
        text = HEAD.format(loss=loss, batch=batch) + (STEP if name == "domain" else "")
        (folder / f"{name}.py").write_text(text)
    checks = [{"model": f"{name}.py"} for name in MODELS]
    (folder / "gradcheck.yaml").write_text(json.dumps({"version": 1, "checks": checks}))
    plain, left = _written(tmp_path, tmp_path, "batch", str(folder / "gradcheck.yaml"))
    found = [leak for text in plain.values() for leak in leaks(text)]
    assert set(FOLDERS) & set(found) and len([each for each in found if each not in FOLDERS]) > 6
    assert {name: leaks(text) for name, text in left.items()} == {name: [] for name in left}


TRAINING = """
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Linear(4, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
for step in range(6):
    x = torch.rand(16, 4) + 1
    if step == 3:
        x[5] = -731.25
    loss = (net(x) * x.log()).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def test_planted_data_is_in_no_report_of_a_run(tmp_path: Path) -> None:
    folder = tmp_path / FOLDERS[1]
    folder.mkdir()
    (folder / "train.py").write_text(TRAINING)
    plain, left = _written(tmp_path, tmp_path, "run", f"{FOLDERS[1]}/train.py", f"--data={PATHS[0]}")
    assert all({FOLDERS[1], FOLDERS[0], "-731.2"} <= set(leaks(plain[name])) for name in ("json", "html", "table"))
    assert {name: leaks(text) for name, text in left.items()} == {name: [] for name in left}
    told = left["table"]
    assert "row 5" in told and "train.py:11" in told and "[5, 0]" in told


def _written(here: Path, out: Path, command: str, *arguments: str) -> tuple[dict[str, str], dict[str, str]]:
    """Every format of a result, as it is and redacted, made of one run of the command."""
    saved = out / "plain.json"
    made = [sys.executable, "-m", "gradcheck_cli", command, "--output", f"json={saved}", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(gradcheck_cli.__file__).parents[1])}
    subprocess.run(made, cwd=here, capture_output=True, timeout=300, check=False, env=environment)
    texts = []
    for name, option in (("plain", ()), ("redacted", ("--redact",))):
        outputs = [part for format in FORMATS for part in ("--output", f"{format}={out / name}.{format}")]
        shown = [sys.executable, "-m", "gradcheck_cli", "show", *option, str(saved), *outputs]
        if option:
            subprocess.run(shown, cwd=here, capture_output=True, timeout=60, check=True, env=environment)
            texts.append({format: (out / f"{name}.{format}").read_text() for format in FORMATS})
        else:
            texts.append({format: render(read_saved(saved), format) for format in FORMATS})
    return texts[0], texts[1]
