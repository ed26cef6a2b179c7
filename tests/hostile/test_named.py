"""Whatever a user names ends in one message, or in what was asked for.

Most is refused before a process is started, which is tried here in this process; `pytest -m sweep`, as
`python -m tests.hostile.meet`, runs every case in a process of its own, and CI some of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from gradcheck_cli import suite
from gradcheck_cli.cli import run as run_here
from gradcheck_cli.suite import runner
from gradcheck_cli.target import precheck
from gradcheck_cli.worker import launch, runs
from tests.hostile import listed, unseen
from tests.hostile.naming import Case, Ended, faults, lay, run
from tests.sweeping import sampled

CASES = (*listed.LISTED, *unseen.UNSEEN)
GROUPS = {
    "listed paths": (listed.PATHS, 26),
    "listed outputs": (listed.OUTPUTS, 10),
    "listed values": (listed.VALUES, 20),
    "models": (unseen.MODELS, 12),
    "batches": (unseen.BATCHES, 10),
    "documents": (unseen.DOCUMENTS, 46),
    "outputs": (unseen.OUTPUTS, 26),
    "values": (unseen.VALUES, 48),
}
"""With the least number of each that needs no process."""


class NeedsAProcess(Exception):
    """What was asked for is to be done now."""


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows by one whenever a process would be started, which is not done."""
    seen: list[object] = []

    def stop(*given: object, **more: object) -> Any:
        seen.append(given)
        raise NeedsAProcess

    def one(planned: Any, *rest: object) -> Any:
        precheck(planned.spec)
        return stop(planned)

    monkeypatch.setattr(launch, "beginning", lambda wanted: nullcontext())
    monkeypatch.setattr(suite, "run_one", one)
    monkeypatch.setattr(runner, "_Crew", stop)
    monkeypatch.setattr(runs, "run_watched", stop)
    return seen


def _in_this_process(case: Case) -> bool:
    """Whether a case is one that may be refused early, and touches no stream or folder of the process."""
    streams = case.stdout or case.stderr or case.before or case.environment or "/dev/" in str(case.argv)
    return case.codes == (2,) and not streams and "/proc/" not in str(case.argv)


def _early(
    cases: tuple[Case, ...], where: Path, reached: list[object], read: Callable[[], tuple[str, str]]
) -> Iterator[tuple[str, list[str]]]:
    """Every case that was decided without a process, and what is wrong with how it ended."""
    for place, case in enumerate(case for case in cases if _in_this_process(case)):
        folder = where / str(place)
        folder.mkdir()
        lay(folder, case)
        reached.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            code = run_here([text.replace("@W", str(folder)) for text in case.argv])
        out, err = read()
        if not reached:
            yield case.name, list(faults(case, Ended(code, out, err), folder))


@pytest.mark.parametrize("group", GROUPS)
def test_what_needs_no_process_is_told_before_one_is_started(
    group: str, tmp_path: Path, reached: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    cases, least = GROUPS[group]
    ended = dict(_early(cases, tmp_path, reached, capsys.readouterr))
    assert {name: wrong for name, wrong in ended.items() if wrong} == {}
    assert len(ended) >= least


@pytest.mark.parametrize(
    "case", sampled(CASES, every=236, named=lambda case: case.name.encode("unicode_escape").decode()[:60])
)
def test_a_name_a_stream_or_a_value_ends_as_expected(case: Case, tmp_path: Path) -> None:
    assert list(faults(case, run(case, tmp_path), tmp_path)) == []


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 400
