"""Curves for TensorBoard, read back by TensorBoard itself."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gradcheck_cli.cli.logto import TensorBoard, logging_to
from gradcheck_cli.errors import ReportError, UsageError
from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.timeline import Vital
from gradcheck_cli.watch.sessionreader import News
from tests.cli.conftest import Ended


def news() -> News:
    return News(
        vitals=(
            Vital(step=1, loss=2.0, grad_norm=0.5, scale=1024.0),
            Vital(step=2, optimizer=1, loss=math.nan),
            Vital(step=3, loss=1.5),
        ),
        samples=(Sample(step=2, update=0.25, dead={"a": 0.1, "b": 0.75}, output_rms={"a": math.nan}),),
    )


def test_what_is_read_stands_there_by_step(tmp_path: Path) -> None:
    loading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    folder = tmp_path / "a" / "b"
    with logging_to(f"tensorboard={folder}") as log:
        assert log is not None
        log(news())
        log(News())
        assert str(folder) in log.told and "gradcheck/" in log.told
    events = loading.EventAccumulator(str(folder))
    events.Reload()
    found = {tag: [(s.step, s.value) for s in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    assert str(found.pop("gradcheck/loss/1")) == "[(2, nan)]"
    assert found == {
        "gradcheck/loss": [(1, 2.0), (3, 1.5)],
        "gradcheck/grad_norm": [(1, 0.5)],
        "gradcheck/scale": [(1, 1024.0)],
        "gradcheck/update_ratio": [(2, 0.25)],
        "gradcheck/dead": [(2, 0.75)],
    }


def test_a_folder_of_its_own_is_taken_where_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    monkeypatch.chdir(tmp_path)
    with logging_to("tensorboard"):
        (made,) = Path("runs").iterdir()
        assert made.name.startswith("gradcheck-") and len(list(made.iterdir())) == 1


def test_a_disk_that_is_full_stops_the_curves_and_not_the_run(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")

    class Full:
        def write(self, data: bytes) -> None:
            pass

        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    log = TensorBoard(Full(), tmp_path)
    log(news())
    log(news())
    assert "No space left on device" in log.told and "not whole" in log.told


@pytest.mark.parametrize("asked", ["wandb", "tensorboard=", "=x", "", "TensorBoard"])
def test_what_is_not_known_is_refused(asked: str) -> None:
    with pytest.raises(UsageError, match="is not known"), logging_to(asked):
        raise AssertionError


def test_nothing_is_started_where_tensorboard_is_missing(
    gradcheck: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.record_writer", None)
    script = tmp_path / "train.py"
    script.write_text("open('ran', 'w')")
    monkeypatch.chdir(tmp_path)
    ended = gradcheck("run", "--log-to", "tensorboard", "train.py")
    assert ended.code == 2 and "--log-to tensorboard: it cannot be imported" in ended.err
    assert "hint: pip install tensorboard" in ended.err and not Path("ran").exists()


def test_a_folder_that_cannot_be_made_is_told_before_anything_runs(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot be written"), logging_to(f"tensorboard={tmp_path}/file/b"):
        raise AssertionError


def test_nothing_is_asked_for() -> None:
    with logging_to(None) as log:
        assert log is None
