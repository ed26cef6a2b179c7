"""`gradcheck batch`: most checks here are finished in the journal of an earlier run, so that no model is run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gradcheck_cli.cli.batch import _journal_path
from gradcheck_cli.config import load_config
from gradcheck_cli.errors import ReportError
from gradcheck_cli.records.report import Report
from gradcheck_cli.reports import FORMATS
from gradcheck_cli.reports.runreport import run_report
from gradcheck_cli.suite.journal import Journal
from tests.cli.conftest import Ended
from tests.reports.examples import failed, finding, healthy, vanishing
from tests.timeline.sessions import blown

JOURNAL = Path(".gradcheck-journal.jsonl")
MADE: dict[str, Callable[[], Report]] = {
    "healthy": healthy,
    "ill": vanishing,
    "broken": failed,
    "watched": lambda: run_report(blown().timeline()),
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config(*checks: str, **top: Any) -> None:
    """A gradcheck.yaml whose checks are named after what comes of them, as "ill" or "ill 2"."""
    named = [{"model": f"{name}.py", "name": name} for name in checks]
    Path("gradcheck.yaml").write_text(json.dumps({"version": 1, "checks": named, **top}))


def finished(journal: Path = JOURNAL, **overrides: object) -> None:
    """Every check of the gradcheck.yaml as an earlier run finished it."""
    kept = Journal(journal)
    kept.start(resume=False)
    for planned in load_config(Path("gradcheck.yaml"), overrides):
        kept.append(planned, replace(MADE[planned.name.split()[0]](), name=planned.name))


Call = Callable[..., tuple[Ended, dict[str, Any]]]


@pytest.fixture
def batch(here: Path, gradcheck: Callable[..., Ended]) -> Call:
    def call(*options: str) -> tuple[Ended, dict[str, Any]]:
        ended = gradcheck("batch", "--resume", "--quiet", "--format", "json", *options)
        return ended, json.loads(ended.out)

    return call


def names(suite: dict[str, Any]) -> list[str]:
    return [check["name"] for check in suite["checks"]]


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        (("healthy",), 0),
        (("healthy", "healthy 2"), 0),
        (("healthy", "ill"), 1),
        (("broken", "ill"), 2),
        (("ill", "broken", "healthy"), 2),
    ],
)
def test_the_worst_check_decides_and_the_order_is_that_of_the_file(
    batch: Call, checks: tuple[str, ...], code: int
) -> None:
    config(*checks)
    finished()
    ended, suite = batch()
    assert (ended.code, suite["exit_code"]) == (code, code)
    assert names(suite) == list(checks)
    assert (suite["schema"], suite["name"], suite["notes"]) == ("gradcheck-suite/1", "gradcheck.yaml", [])


def test_a_run_that_is_complete_leaves_no_journal(batch: Call) -> None:
    config("healthy", "ill")
    finished()
    assert JOURNAL.exists()
    batch()
    assert not JOURNAL.exists()


def test_to_stop_at_the_first_failure_keeps_what_is_finished_for_the_next_run(batch: Call) -> None:
    config("healthy", "ill", "healthy 2", "broken")
    finished()
    ended, suite = batch("--fail-fast")
    assert (ended.code, names(suite)) == (1, ["healthy", "ill"])
    assert JOURNAL.exists()
    assert names(batch()[1]) == ["healthy", "ill", "healthy 2", "broken"]


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (("-k", "ill"), ["ill", "ill 2"]),
        (("-k", "not ill"), ["healthy"]),
        (("--shard", "1/1"), ["healthy", "ill", "ill 2"]),
    ],
)
def test_only_what_was_chosen_is_run(batch: Call, options: tuple[str, ...], chosen: list[str]) -> None:
    config("healthy", "ill", "ill 2")
    finished(Path("j.jsonl"))
    assert names(batch("--journal", "j.jsonl", *options)[1]) == chosen


def test_shards_together_are_the_whole_and_each_has_a_journal_of_its_own(batch: Call) -> None:
    config("healthy", "ill", "ill 2", "healthy 2", "broken")
    found: list[str] = []
    for shard in ("1/2", "2/2"):
        finished(Path(f".gradcheck-journal-{shard.replace('/', 'of')}.jsonl"))
        found += names(batch("--shard", shard)[1])
    assert sorted(found) == sorted(["healthy", "ill", "ill 2", "healthy 2", "broken"])
    assert list(Path().glob(".*.jsonl")) == []


@pytest.mark.parametrize(
    ("journal", "shard", "path"),
    [
        (None, None, ".suite-journal.jsonl"),
        (None, "2/3", ".suite-journal-2of3.jsonl"),
        ("kept.jsonl", "2/3", "kept.jsonl"),
    ],
)
def test_the_journal_is_beside_the_config_unless_it_is_named(
    here: Path, journal: str | None, shard: str | None, path: str
) -> None:
    file = here / "suite.yaml"
    assert _journal_path(journal and str(here / journal), file, shard) == here / path


@pytest.mark.parametrize(("journal", "told"), [(".", "is a folder"), ("none/j.jsonl", "there is no folder")])
def test_a_journal_in_no_folder_or_that_is_one_is_told(here: Path, journal: str, told: str) -> None:
    with pytest.raises(ReportError, match=f"--journal {journal}: {told}"):
        _journal_path(journal, here / "gradcheck.yaml", None)


def test_what_is_expected_passes(batch: Call) -> None:
    config("ill")
    text = json.loads(Path("gradcheck.yaml").read_text())
    text["checks"][0]["expect"] = [finding(("a",)).code]
    Path("gradcheck.yaml").write_text(json.dumps(text))
    finished()
    assert batch()[0].code == 0


# --------------------------------------------------------------------------- baselines


def test_an_update_writes_the_baseline_which_then_passes_and_tells_what_is_gone(batch: Call) -> None:
    config("ill", "healthy")
    finished(baseline="known.json")
    ended, _ = batch("--baseline", "known.json", "--update-baseline")
    assert ended.code == 0
    known = json.loads(Path("known.json").read_text())
    assert set(known["checks"]["ill"]["findings"]) == {vanishing().findings[0].code}

    finished(baseline="known.json")
    ended, suite = batch("--baseline", "known.json")
    assert (ended.code, suite["notes"]) == (0, [])
    assert all(found["known"] for check in suite["checks"] for found in check["findings"])

    known["checks"]["healthy"]["findings"] = {"GC401": ["gone"]}
    Path("known.json").write_text(json.dumps(known))
    finished(baseline="known.json")
    ended, suite = batch("--baseline", "known.json")
    assert ended.code == 0
    assert [note.partition(":")[0] for note in suite["notes"]] == ["healthy"]


def test_no_baseline_is_written_unless_it_is_asked_for(batch: Call) -> None:
    config("ill")
    Path("known.json").write_text('{"schema": "gradcheck-baseline/1", "checks": {}}')
    before = Path("known.json").read_text()
    finished(baseline="known.json")
    batch("--baseline", "known.json")
    assert Path("known.json").read_text() == before


# --------------------------------------------------------------------------- what is told before anything runs


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--workers", "0"), "--workers"),
        (("--timeout", "0"), "--timeout"),
        (("--max-memory", "much"), "--max-memory: `much` is not an amount of memory"),
        (("--shard", "3/2"), "--shard"),
        (("-k", "and"), "-k"),
        (("-k", "nothing"), "nothing"),
        (("--journal", "."), "--journal .: is a folder"),
        (("--update-baseline",), "--update-baseline needs a file"),
        (("--drift", "1"), "drift is told against a baseline"),
        (("--baseline", "none.json"), "none.json"),
        (("--output", "json"), "--output `json` is not FORMAT=PATH"),
        (("missing.yaml",), "missing.yaml"),
    ],
    ids=" ".join,
)
def test_a_slip_is_told_before_anything_is_run(batch: Call, options: tuple[str, ...], told: str) -> None:
    config("healthy")
    ended, document = batch(*options)
    assert (ended.code, document["status"]) == (2, "failed")
    assert told in ended.err.splitlines()[0]
    assert not JOURNAL.exists()


def test_without_a_config_it_says_how_to_make_one(batch: Call) -> None:
    ended, _ = batch()
    assert ended.code == 2
    assert ended.err == "error: there is no gradcheck.yaml here or above\nhint: `gradcheck init` writes one.\n"


def test_a_config_without_checks_is_told(batch: Call) -> None:
    config()
    ended, _ = batch()
    assert (ended.code, ended.err.splitlines()[0]) == (2, "error: gradcheck.yaml holds no checks")


def test_a_file_that_is_no_journal_is_left_as_it_is(batch: Call) -> None:
    config("healthy")
    Path("notes.txt").write_text("keep me")
    ended, _ = batch("--journal", "notes.txt")
    assert (ended.code, Path("notes.txt").read_text()) == (2, "keep me")
    assert "is not a journal of gradcheck" in ended.err


def test_a_journal_behind_a_link_is_read_and_removed_where_it_is(batch: Call) -> None:
    config("healthy")
    finished(Path("elsewhere.jsonl"))
    JOURNAL.symlink_to("elsewhere.jsonl")
    ended, suite = batch()
    assert (ended.code, names(suite)) == (0, ["healthy"])
    assert not Path("elsewhere.jsonl").exists()


@pytest.mark.parametrize("format", FORMATS)
def test_a_run_stands_beside_the_checks_in_every_format(here: Path, gradcheck: Call, format: str) -> None:
    config("healthy", run=[{"script": "train.py", "name": "watched run"}])
    finished()
    ended = gradcheck("batch", "--resume", "--format", format)
    codes = {finding.code for finding in MADE["watched"]().findings}
    assert ended.code == 1
    assert all(code in ended.out for code in codes) and "watched run" in ended.out


def test_what_a_run_expects_passes_and_a_baseline_knows_it(batch: Call) -> None:
    codes = sorted({finding.code for finding in MADE["watched"]().findings})
    config(run=[{"script": "train.py", "name": "watched run", "expect": codes}])
    finished()
    assert batch()[0].code == 0
    config(run=[{"script": "train.py", "name": "watched run"}])
    finished(baseline="known.json")
    assert batch("--baseline", "known.json", "--update-baseline")[0].code == 0
    assert set(json.loads(Path("known.json").read_text())["checks"]["watched run"]["findings"]) <= set(codes)
    finished(baseline="known.json")
    assert batch("--baseline", "known.json")[0].code == 0


def test_a_file_without_a_check_or_a_run_is_told_what_to_add(here: Path, gradcheck: Call) -> None:
    config()
    ended = gradcheck("batch")
    assert (ended.code, ended.err) == (
        2,
        "error: gradcheck.yaml holds no checks\nhint: Add some under `checks:` or `run:`.\n",
    )
