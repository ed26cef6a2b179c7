"""What a model does to its process costs that check and nothing else, and nothing of it is left."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.processes import (
    FAULTS,
    HEALTHY,
    ILL,
    RAISING,
    SHADOWS,
    Ended,
    document,
    ended,
    gradcheck,
    healthy,
    left,
    peak_memory,
    started,
    temporary,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is left is looked for in /proc")
ASLEEP = healthy("open('asleep', 'w').close()", "time.sleep(99)")
HOLDS_THE_GIL = healthy("open('asleep', 'w').close()", "ctypes.PyDLL(None).sleep(99)")
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
SLOW = ("a trial hangs",)


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    yield
    assert left(tmp_path) == []
    shutil.rmtree(temporary(tmp_path), ignore_errors=True)


def suite(folder: Path, *checks: dict[str, object]) -> None:
    (folder / "gradcheck.yaml").write_text(json.dumps({"version": 1, "checks": checks}))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """All faults in one batch, each in a folder of its own, and a healthy model after each."""
    folder = tmp_path_factory.mktemp("faults")
    checks: list[dict[str, object]] = []
    for i, (name, fault) in enumerate(FAULTS.items()):
        (folder / f"m{i}.py").write_text(fault.text)
        checks.append({"model": f"m{i}.py", "name": name, "timeout": 100, **fault.limits})
    (folder / "healthy.py").write_text(HEALTHY)
    checks += [{"model": "healthy.py", "name": f"healthy {i}"} for i in range(4)]
    suite(folder, *(check for check in checks if check["name"] not in SLOW))
    done = gradcheck(folder, "batch", "--format", "json", "--workers", "2", timeout=200)
    assert left(folder) == []
    shutil.rmtree(temporary(folder))
    assert not (folder / "PWNED").exists()
    assert "internal error" not in done.err + done.out
    return {check["name"]: check for check in document(done)["checks"]}


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in SLOW])
def test_a_fault_costs_its_own_check(results: dict[str, dict], name: str) -> None:
    fault, check = FAULTS[name], results[name]
    assert check["exit_code"] in fault.codes, check["error"]
    assert fault.told in json.dumps(check)


def test_the_others_go_on(results: dict[str, dict]) -> None:
    assert [results[f"healthy {i}"]["status"] for i in range(4)] == ["healthy"] * 4


def check(folder: Path, text: str, *options: str) -> Ended:
    (folder / "m.py").write_text(text)
    return gradcheck(folder, "check", "m.py", "--no-config", "--format", "json", *options)


def as_expected(name: str, done: Ended) -> None:
    assert done.code in FAULTS[name].codes, done.err
    assert document(done)["exit_code"] == done.code
    assert FAULTS[name].told in done.out
    assert "internal error" not in done.err


@pytest.mark.parametrize(
    "name",
    [
        "noise in every descriptor",
        *(pytest.param(name, marks=pytest.mark.sweep) for name in FAULTS if name != "noise in every descriptor"),
    ],
)
def test_check_is_a_batch_of_one(tmp_path: Path, name: str) -> None:
    as_expected(name, check(tmp_path, FAULTS[name].text, *FAULTS[name].options()))
    assert not (tmp_path / "PWNED").exists()


@pytest.mark.sweep
@pytest.mark.parametrize("name", SHADOWS)
def test_a_module_of_the_users_beside_the_model(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text(RAISING)
    done = check(tmp_path, HEALTHY, "--output=html=o.html", "--output=junit=o.xml", "--output=table=o.txt")
    assert (done.code, document(done)["status"]) == (0, "healthy"), done.err


def test_the_working_folder_shadows_nothing_and_a_long_tmpdir_is_no_matter(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text(RAISING)
    (tmp_path / "m.py").write_text(HEALTHY.replace("json, ", ""))
    suite(tmp_path, {"model": "m.py"})
    written = [f"--output={name}=o.{name}" for name in ("html", "junit", "table", "markdown", "sarif")]
    done = gradcheck(tmp_path, "batch", "--format", "json", *written, TMPDIR=str(long))
    assert (done.code, document(done)["checks"][0]["status"]) == (0, "healthy"), done.out
    assert all((tmp_path / f"o.{name}").exists() for name in ("html", "junit", "table", "markdown", "sarif"))
    assert list(long.iterdir()) == []


def test_what_the_code_prints_goes_to_stderr_as_it_comes(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(healthy("print('from python'); os.system('echo from a child')", *ASLEEP_LINES))
    process = started(tmp_path, "check", "m.py")
    wait_for(tmp_path / "asleep", process)
    assert "from python\nfrom a child\n" in (tmp_path / "tmp.err").read_text()
    process.send_signal(signal.SIGTERM)
    assert ended(tmp_path, process).out == ""


ASLEEP_LINES = ("open('asleep', 'w').close()", "time.sleep(99)")


def wait_for(path: Path, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("check", signal.SIGHUP),
        pytest.param("check", signal.SIGINT, marks=pytest.mark.sweep),  # which CI sends in the trials
        ("batch", signal.SIGTERM),
    ],
)
def test_a_signal_ends_it_all_with_its_code(tmp_path: Path, number: int, command: str) -> None:
    (tmp_path / "m.py").write_text(ASLEEP)
    suite(tmp_path, {"model": "m.py"})
    process = started(tmp_path, *(("check", "m.py") if command == "check" else ("batch",)))
    wait_for(tmp_path / "asleep", process)
    process.send_signal(number)
    done = ended(tmp_path, process, 10)
    assert (done.code, done.out) == (CODES[number], "")
    assert done.err.startswith("error: interrupted\n")
    assert "Traceback" not in done.err


def test_kill_9_leaves_nothing_though_checks_hold_the_gil(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(HOLDS_THE_GIL)
    suite(tmp_path, {"model": "m.py", "name": "a"}, {"model": "m.py", "name": "b"})
    process = started(tmp_path, "batch", "--workers", "2")
    wait_for(tmp_path / "asleep", process)
    process.kill()
    assert ended(tmp_path, process).code == -signal.SIGKILL


@pytest.mark.parametrize("command", ["check", "batch"])
@pytest.mark.parametrize("after", [0.05, 0.3])
def test_a_signal_at_the_start_is_quiet(tmp_path: Path, after: float, command: str) -> None:
    (tmp_path / "m.py").write_text(HEALTHY)
    suite(tmp_path, {"model": "m.py"})
    process = started(tmp_path, *(("check", "m.py") if command == "check" else ("batch",)))
    time.sleep(after)
    process.send_signal(signal.SIGTERM)
    done = ended(tmp_path, process, 10)
    assert done.code in (143, -signal.SIGTERM)  # before Python is up, the signal ends it
    assert "Traceback" not in done.err


@pytest.mark.sweep
@pytest.mark.parametrize("after", [0.05 * i for i in range(1, 20)] + [0.25 * i for i in range(4, 28)])
def test_ctrl_c_at_any_moment(tmp_path: Path, after: float) -> None:
    (tmp_path / "m.py").write_text(ILL)
    process = started(tmp_path, "check", "m.py", "--format", "json")
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    done = ended(tmp_path, process, 10)
    assert done.code in (130, 1)
    assert "Traceback" not in done.err
    assert not done.out or document(done)["exit_code"] == done.code


def test_ctrl_c_in_the_trials_keeps_the_diagnosis(tmp_path: Path) -> None:
    text = ILL.replace("fault = lambda: None", "fault = lambda: open(f'call{calls[0]}', 'w').close()")
    (tmp_path / "m.py").write_text(text)
    process = started(tmp_path, "check", "m.py", "--format", "json", "--try-budget", "60")
    wait_for(tmp_path / "call40", process)
    process.send_signal(signal.SIGINT)
    done = ended(tmp_path, process, 10)
    assert (done.code, document(done)["status"]) == (1, "ill")
    assert "interrupted" in document(done)["notes"][-1]


def test_where_files_run_out_checks_wait_for_each_other(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(HEALTHY)
    suite(tmp_path, *({"model": "m.py", "name": str(i)} for i in range(8)))
    limit = ("bash", "-c", 'ulimit -n 24; exec "$@"', "-")
    done = ended(tmp_path, started(tmp_path, "batch", "--workers", "16", "--format", "json", prefix=limit))
    assert "Traceback" not in done.err
    assert [one["status"] for one in document(done)["checks"]] == ["healthy"] * 8


def test_streams_may_be_closed(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(healthy("print('x', flush=True)"))
    prefix = ("bash", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "-")
    assert ended(tmp_path, started(tmp_path, "check", "m.py", prefix=prefix)).code == 0


def test_memory_of_the_parent(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(HEALTHY)
    process, peak = started(tmp_path, "check", "m.py"), 0
    while process.poll() is None:
        peak = max(peak, peak_memory(process.pid))
        time.sleep(0.002)
    assert process.returncode == 0
    assert 10e6 < peak < 60e6


@pytest.mark.sweep
def test_a_script_without_a_main_guard_can_run_a_batch(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(HEALTHY)
    suite(tmp_path, {"model": "m.py"})
    (tmp_path / "script.py").write_text("from gradcheck_cli.cli import run\nprint(run(['batch']))\n")
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("exit 0\n0\n"), done.stderr


def test_in_process_is_for_breakpoint(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(healthy("breakpoint()"))
    done = gradcheck(tmp_path, "check", "m.py", "--in-process", "--timeout", "3")
    assert (done.code, "Leave out --in-process" in done.err) == (2, True)
    command = [sys.executable, "-m", "gradcheck_cli", "check", "m.py", "--in-process"]
    done = subprocess.run(command, cwd=tmp_path, input="c\n" * 50, capture_output=True, text=True, check=False)
    assert "(Pdb)" in done.stderr and done.returncode == 0


@pytest.mark.sweep
def test_kill_9_at_any_moment_and_resume(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(healthy("time.sleep(0.1)"))
    suite(tmp_path, *({"model": "m.py", "name": str(i)} for i in range(12)))
    for moment in range(12):
        process = started(tmp_path, "batch", "--resume", "--workers", "2")
        time.sleep(0.1 + 0.25 * moment)
        process.kill()
        process.wait()
        assert left(tmp_path) == []
    done = document(gradcheck(tmp_path, "batch", "--resume", "--format", "json"))
    assert [one["status"] for one in done["checks"]] == ["healthy"] * 12
    once = document(gradcheck(tmp_path, "batch", "--format", "json"))
    assert [{**one, "seconds": None} for one in done["checks"]] == [{**one, "seconds": None} for one in once["checks"]]
