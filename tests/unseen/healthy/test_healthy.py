"""The grid of healthy runs is as large as it is said to be, its figures are those of its rows, and its runs learn."""

from __future__ import annotations

import json

from tests.unseen.healthy.grid import BY_NAME, GRID, Run
from tests.unseen.healthy.score import KEPT
from tests.unseen.healthy.tasks import REAL
from tests.unseen.healthy.train import told, train


def test_the_grid_is_large_and_mostly_of_real_data() -> None:
    assert len(BY_NAME) == len(GRID) >= 100
    assert sum(run.task.startswith(REAL) for run in GRID) >= 50


def test_the_figures_name_every_alarm() -> None:
    for kept in json.loads(KEPT.read_text(encoding="ascii")).values():
        figures, rows = kept["figures"], kept["told"].values()
        verdicts = [alarm["verdict"] for row in rows if row["healthy"] for alarm in row["alarms"]]
        assert figures["confirmed"] == verdicts.count("confirmed")
        assert figures["recovered"] == verdicts.count("recovered")
        assert figures["runs"] - figures["healthy"] == sum(not row["healthy"] for row in rows)


def test_a_run_learns_the_same_each_time() -> None:
    run = Run(task="ratings", optimizer="adam", lr=0.03)
    one, two = (told(*train(run, 0)) for _ in range(2))
    assert one == two
    assert one["healthy"]
