"""From a remedy to the edits that try it, or to the reason why it cannot be tried."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradcheck_cli.remedies import ROWS, TrialKind
from gradcheck_cli.trials.planning import Plan, PlanningContext
from gradcheck_cli.trials.recipes import HABITS
from gradcheck_cli.trials.remedyplans import PLANS, plan
from gradcheck_cli.trials.torchcalls import NotTriable
from tests.trials.contexts import context


@pytest.fixture(scope="module")
def small() -> PlanningContext:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))
    return context(model, (torch.randn(4, 3), torch.zeros(4, 3)))


@pytest.mark.parametrize(("remedy", "precision"), [("bf16", "bfloat16"), ("fp32", "float32")])
def test_another_precision_edits_nothing(small: PlanningContext, remedy: str, precision: str) -> None:
    assert plan(remedy, small) == Plan(precision=precision)


@pytest.mark.parametrize("remedy", [name for name, row in ROWS.items() if row.tried is TrialKind.BY_HAND])
def test_what_only_the_user_can_choose_is_not_planned(small: PlanningContext, remedy: str) -> None:
    with pytest.raises(NotTriable, match="only you can choose"):
        plan(remedy, small)


@pytest.mark.parametrize("remedy", PLANS)
def test_every_plan_changes_something_or_says_why_it_cannot(small: PlanningContext, remedy: str) -> None:
    try:
        made = plan(remedy, small)
    except NotTriable as why:
        assert str(why) and not str(why).endswith(".")
    else:
        assert made != Plan()


def test_a_remedy_is_tried_in_one_way() -> None:
    assert set(PLANS) & set(HABITS) == set()
