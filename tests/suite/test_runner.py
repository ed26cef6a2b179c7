"""Checks that crash, hang and flood cost only themselves."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from gradcheck_cli.cli import run
from gradcheck_cli.pipeline import run_check
from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.report import Report
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.records.verdict import suite_exit_code
from gradcheck_cli.suite import run_plan
from tests.sweeping import sampled

HEALTHY = """
import torch
from torch import nn
torch.manual_seed({seed})
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
batch = (torch.randn(16, 4), torch.arange(16) % 3)
loss = nn.functional.cross_entropy
"""
BROKEN = """
import ctypes, os, signal, subprocess, sys, tempfile, time
from torch import nn
class Net(nn.Linear):
    def forward(self, x):
        {fault}
        return super().forward(x)
def build_model():
    return Net(4, 3)
import torch
batch = (torch.randn(16, 4), torch.arange(16) % 3)
loss = nn.functional.cross_entropy
"""
FAULTS = {
    "segfault": ("ctypes.string_at(0)", "SIGSEGV"),
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    "hang": ("time.sleep(600)", "timed out after"),
    "exit": ("os._exit(0)", "status 0"),
    "sysexit": ("sys.exit(3)", "sys.exit(3)"),
    "raises": ("raise ValueError('the user is wrong')", "the user is wrong"),
    "flood": ("[os.write(1, b'x' * 65536) for _ in range(200)]; os.abort()", "SIGABRT"),
    "orphan": ("subprocess.Popen(['sleep', '600']); os.abort()", "SIGABRT"),
    "last words": ("os.write(2, b'so long'); os.abort()", "so long"),
    "glutton": (
        "held = [torch.ones(5 * 10**7) for _ in range(50)]; time.sleep(600)",
        "used more than 1.5 GB of memory",
    ),
    "gluttons": (
        "[os.fork() for _ in range(2)]; held = torch.ones(15 * 10**7); time.sleep(600)",
        "used more than 1.5 GB of memory",
    ),
    "no memory": ("torch.empty(2**60)", "memory"),
    "fork": ("os.fork() or os._exit(7); os.fork() and os._exit(9); time.sleep(600)", "status 9"),
    "fill tmp": (
        "[open(f'{{tempfile.gettempdir()}}/junk{{i}}', 'wb').write(bytes(2**24)) for i in range(16)]; os.abort()",
        "SIGABRT",
    ),
}
LIMITS = {
    "hang": {"timeout": 3.0},
    "glutton": {"timeout": 60.0, "max_memory": 1_500_000_000},
    "gluttons": {"timeout": 60.0, "max_memory": 1_500_000_000},
}


def planned(folder: Path, name: str, text: str, **fields: object) -> PlannedCheck:
    path = folder / f"{name.replace(' ', '_')}.py"
    path.write_text(text)
    return PlannedCheck(name=name, spec=CheckSpec(model=str(path)), **fields)


def comparable(report: Report) -> Report:
    return replace(report, seconds={}, name="")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("suite")
    faults = [
        planned(folder, name, BROKEN.format(fault=fault.format()), **LIMITS.get(name, {"timeout": 60.0}))
        for name, (fault, _) in FAULTS.items()
    ]
    healthy = [planned(folder, f"healthy {seed}", HEALTHY.format(seed=seed)) for seed in range(30 - len(faults))]
    plan = [check for pair in zip(healthy, [*faults, *healthy[len(faults) :]], strict=False) for check in pair]
    plan = list({check.name: check for check in plan}.values())
    assert len(plan) == 30
    temporary = folder / "tmp"
    temporary.mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(temporary))
        reports = dict(run_plan(plan, 2))
    assert sorted(reports) == list(range(30))
    return {plan[place].name: report for place, report in reports.items()} | {"folder": folder}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_as_a_failed_check(results: dict[str, Report], name: str):
    report = results[name]
    assert (report.status, report.exit_code, report.name) == (Status.FAILED, 2, name)
    assert FAULTS[name][1] in report.error


def test_every_other_result_is_that_of_the_check_alone(results: dict[str, Report]):
    for seed in range(30 - len(FAULTS)):
        alone = run_check(CheckSpec(model=str(results["folder"] / f"healthy_{seed}.py")))
        found = results[f"healthy {seed}"]
        assert comparable(found) == comparable(alone)


def test_what_a_check_started_is_ended_with_it(results: dict[str, Report]):
    running = list(Path("/proc").glob("[0-9]*/cmdline"))
    assert not any(b"sleep\x00600" in path.read_bytes() for path in running if path.exists())


def test_nothing_that_a_check_left_in_tmp_stays(results: dict[str, Report]):
    assert list((results["folder"] / "tmp").glob("gradcheck-*")) == []


def test_the_suite_is_2(results: dict[str, Report]):
    assert suite_exit_code(report for name, report in results.items() if name != "folder") == 2


def test_a_check_that_forks_and_goes_on_in_both_answers_once(tmp_path: Path):
    def report(text: str) -> Report:
        ((_, found),) = run_plan([planned(tmp_path, "forking", text)], 1)
        return comparable(found)

    assert report(HEALTHY.format(seed=0) + "import os\nos.fork()\n") == report(HEALTHY.format(seed=0))


def test_a_check_takes_no_more_threads_than_the_environment_allows(tmp_path: Path):
    """One worker would have all cores; tests allow one thread, in OMP_NUM_THREADS."""
    telling = HEALTHY.format(seed=0) + "raise ValueError(f'{torch.get_num_threads()} threads')\n"
    ((_, found),) = run_plan([planned(tmp_path, "telling", telling)], 1)
    assert "ValueError: 1 threads" in found.error


CONFIG = "version: 1\nchecks:\n"


def batch(folder: Path, checks: str, *options: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict]:
    (folder / "gradcheck.yaml").write_text(CONFIG + checks)
    code = run(["batch", str(folder / "gradcheck.yaml"), "--format", "json", *options])
    return code, json.loads(capsys.readouterr().out)


ILL = HEALTHY.format(seed=0).replace("nn.ReLU()", "*[nn.Sequential(nn.Linear(8, 8), nn.Sigmoid()) for _ in range(20)]")


CODES = [
    ("- {model: healthy.py}", (), 0),
    ("- {model: ill.py}", (), 1),
    ("- {model: ill.py, fail_on: never}", (), 0),
    ("- {model: ill.py, expect: GC201}", (), 0),
    ("- {model: ill.py, expect: GC401}", (), 1),
    ("- {model: healthy.py, expect: GC201}", (), 1),
    ("- {model: broken.py}", (), 2),
    ("- {model: broken.py, expect: failed}", (), 0),
    ("- {model: healthy.py, expect: failed}", (), 1),
    ("- {model: broken.py, expect: GC201}", (), 2),
    ("- {model: missing.py}", (), 2),
    ("- {model: ill.py}\n- {model: broken.py}", (), 2),
    ("- {model: ill.py}\n- {model: healthy.py}", ("-k", "healthy"), 0),
]
"""Checks, options of `batch`, and its exit code."""


@pytest.fixture
def models(tmp_path: Path) -> None:
    (tmp_path / "healthy.py").write_text(HEALTHY.format(seed=0))
    (tmp_path / "ill.py").write_text(ILL)
    (tmp_path / "broken.py").write_text(BROKEN.format(fault="raise ValueError"))


@pytest.mark.usefixtures("models")
def test_exit_codes_of_checks_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    alone = [(check, code) for check, options, code in CODES if check.count("model") == 1]
    checks = "".join(f"{check[:-1]}, name: '{place}'}}\n" for place, (check, _) in enumerate(alone))
    code, suite = batch(tmp_path, checks, capsys=capsys)
    assert [check["exit_code"] for check in suite["checks"]] == [code for _, code in alone]
    assert code == 2


@pytest.mark.parametrize(("check", "options", "code"), sampled(CODES, len(CODES)))
@pytest.mark.usefixtures("models")
def test_exit_codes(
    tmp_path: Path, check: str, options: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]
):
    found, suite = batch(tmp_path, check + "\n", *options, capsys=capsys)
    assert found == suite["exit_code"] == code
    assert suite["schema"] == "gradcheck-suite/1"


def test_the_order_is_that_of_the_file_and_a_saved_suite_can_be_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    names = [f"m{i}.py" for i in range(6)]
    for i, name in enumerate(names):
        (tmp_path / name).write_text(HEALTHY.format(seed=i))
    saved = tmp_path / "suite.json"
    checks = "".join(f"- {{model: {name}}}\n" for name in names)
    _, suite = batch(tmp_path, checks, "--workers", "3", "--output", f"json={saved}", capsys=capsys)
    assert [Path(check["name"]).name for check in suite["checks"]] == names
    assert run(["show", str(saved)]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[-1].startswith("6 checks: 6 ok · ")
    assert told.splitlines()[-1].endswith(" · exit 0")
    assert sum(line.startswith("  ok ") for line in told.splitlines()) == 6


def test_fail_fast_stops(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "healthy.py").write_text(HEALTHY.format(seed=0))
    checks = "- {model: missing.py}\n" + "".join(f"- {{model: healthy.py, name: h{i}}}\n" for i in range(5))
    code, suite = batch(tmp_path, checks, "--fail-fast", "--workers", "1", capsys=capsys)
    assert (code, len(suite["checks"])) == (2, 1)


TRAIN = """
import sys, torch
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(1, 7):
    x = torch.full((8, 4), float("nan")) if step == 5 else torch.ones(8, 4)
    optimizer.zero_grad()
    model(x).square().mean().backward()
    optimizer.step()
print("trained with", sys.argv[1:])
"""
SCRIPTS = {
    "ill.py": (TRAIN, {}),
    "crash.py": ("print('started', flush=True)\nraise ValueError('there is no data')", {}),
    "killed.py": ("import os\nprint('so long')\nos.abort()", {}),
    "hang.py": (
        "import subprocess, time\nsubprocess.Popen(['sleep', '700'])\nprint('waiting')\ntime.sleep(700)",
        {"timeout": 5.0},
    ),
    "missing.py": (None, {}),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("runs")
    plan = []
    for name, (text, limits) in SCRIPTS.items():
        if text is not None:
            (folder / name).write_text(text)
        options = RunOptions(command=(str(folder / name), "--epochs", "3"), first=False)
        plan.append(PlannedCheck(name=name, spec=options, **limits))
    return {plan[place].name: report for place, report in run_plan(plan, 2)}


def test_a_script_is_run_and_watched_as_a_check(runs: dict[str, Report]):
    ill = runs["ill.py"]
    assert (ill.status, ill.exit_code, ill.error) == (Status.ILL, 1, "")
    assert {"GC630"} <= {finding.code for finding in ill.findings}
    assert ill.notes[0] == "6 steps watched"
    assert ill.seconds["total"] > 0


@pytest.mark.parametrize(
    ("name", "why", "last"),
    [
        ("crash.py", "the script ended with 1", "ValueError: there is no data"),
        ("killed.py", "the script ended with 134", "so long"),
        ("hang.py", "timed out after 5 s", "waiting"),
        ("missing.py", "the script ended with 2", "No such file or directory"),
    ],
)
def test_a_script_that_did_not_come_to_a_good_end_is_failed(runs: dict[str, Report], name: str, why: str, last: str):
    report = runs[name]
    assert (report.status, report.exit_code) == (Status.FAILED, 2)
    assert report.error.startswith(f"{why}; its last output:\n")
    assert report.error.endswith(last)


def test_what_a_script_started_is_ended_with_it(runs: dict[str, Report]):
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(b"sleep\x00700" in line for line in running)
