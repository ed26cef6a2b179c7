"""The model, the batch and the process come back bit for bit from every kind of change, or the error names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli import check
from gradcheck_cli.errors import GradcheckError
from tests.hostile import kinds
from tests.hostile.kinds import Odd, batch
from tests.hostile.snapshot import unchanged

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def held(model: nn.Module, data: Any, **how: Any) -> Any:
    """The report of a check after which nothing has changed."""
    with unchanged(model, data):
        return check(model, data, **{"loss": "cross_entropy", **how})


@pytest.fixture(autouse=True)
def _fresh_switches() -> Any:
    """A test that fails must not spoil the next."""
    yield
    torch.set_default_device(None)
    torch.set_default_dtype(torch.float32)
    torch.set_flush_denormal(False)
    torch.set_num_threads(1)
    torch.set_autocast_enabled("cpu", False)
    torch.set_autocast_dtype("cpu", torch.bfloat16)
    torch.set_autocast_cache_enabled(True)
    torch.set_warn_always(False)
    torch.utils.deterministic.fill_uninitialized_memory = True
    torch.set_float32_matmul_precision("highest")


def _named(tables: dict[str, dict[str, Any]]) -> list[Any]:
    return [pytest.param(make, id=f"{of}: {name}") for of, table in tables.items() for name, make in table.items()]


@pytest.mark.parametrize(
    "make",
    _named(
        {
            "parameter": kinds.PARAMETERS,
            "buffer": kinds.BUFFERS,
            "attribute": kinds.ATTRIBUTES,
            "batch": kinds.BATCH,
            "switch": kinds.SWITCHES,
        }
    ),
)
def test_what_a_model_changes_comes_back(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    model, data = make(), batch()
    try:
        held(model, data)
    except GradcheckError as error:  # a batch that cannot be used is no reason to keep it
        assert error.frames or "backward" in str(error) or "loss" in str(error), error


@pytest.mark.parametrize("make", _named({"make": kinds.MAKES}))
@pytest.mark.parametrize("place", ["buffer", "frozen parameter", "attribute"])
def test_tensors_of_every_make(make: Callable[[], Tensor], place: str) -> None:
    model = Odd()
    if place == "buffer":
        model.register_buffer("odd", make())
    elif place == "attribute":
        model.odd = make()
    else:
        try:
            model.odd = nn.Parameter(make(), requires_grad=False)
        except (RuntimeError, NotImplementedError):
            pytest.skip("torch makes no parameter of it")
    report = held(model, batch())
    assert report.status.value == "healthy", str(report)


class TakesTwo(Odd):
    def forward(self, x: Tensor, odd: Any) -> Tensor:
        return super().forward(x)


@pytest.mark.parametrize("make", _named({"make": kinds.MAKES}))
def test_inputs_of_every_make(make: Callable[[], Tensor]) -> None:
    data = (batch()[0], make())
    if type(data[1]) is Tensor and data[1].is_meta:
        with pytest.raises(GradcheckError, match="no data"):
            held(TakesTwo(), data, loss=None, step=lambda m, b: m(*b).square().mean())
        return
    report = held(TakesTwo(), data, loss=None, step=lambda m, b: m(*b).square().mean())
    assert report.loss is not None
