from dataclasses import dataclass
from pathlib import Path

from gradcheck_cli.watch.costlog import EVERY, CostLog
from gradcheck_cli.watch.readbudget import ReadBudget
from gradcheck_cli.watch.session import Session
from gradcheck_cli.watch.sessionreader import read


@dataclass
class Counted:
    seconds: float


def test_what_several_clocks_count_is_told_without_the_diagnoses(tmp_path: Path) -> None:
    session, budget = Session(str(tmp_path)), ReadBudget(5.0)
    budget.glanced = 7
    log = CostLog(session, budget, (Counted(3.0), Counted(2.0)), Counted(1.5))
    log.begin()
    assert log.watching == 3.5
    log.tell(40)
    (process,) = read(str(tmp_path))
    assert process.cost is not None
    assert (process.cost.steps, process.cost.watching, process.cost.diagnoses) == (40, 3.5, 1.5)
    assert process.cost.glanced == 7 and 0.0 <= process.cost.total < 60.0


def test_it_is_looked_at_now_and_then_and_told_at_first(tmp_path: Path) -> None:
    log = CostLog(Session(str(tmp_path)), ReadBudget(5.0), (Counted(0.0),), Counted(0.0))
    log.begin()
    assert [step for step in range(1, 3 * EVERY) if log.is_due(step)] == [EVERY, 2 * EVERY]
    log.tell(2 * EVERY)
    assert not log.is_due(3 * EVERY), "that was just now"


def test_the_first_step_begins_it_once(tmp_path: Path) -> None:
    log = CostLog(Session(str(tmp_path)), ReadBudget(5.0), (), Counted(0.0))
    log.begin()
    before = log.elapsed
    log.begin()
    assert log.elapsed >= before
