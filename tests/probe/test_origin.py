"""The op in which values stop being finite, in the forward pass and in the backward pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.probe.origin import BackwardSearch, scripted_place
from gradcheck_cli.probe.sources import SourceTable
from gradcheck_cli.records.measurement import Element, Measurement, Op, Origin
from gradcheck_cli.runtime.autogradgraph import Graph
from tests.probe.comparing import probed


class Weighted(nn.Module):
    """A function of w * x, with w all ones."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(4))
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.w * x)


def measured(function: Callable[[Tensor], Tensor], values: list[float]) -> Measurement:
    return probed(Weighted(function), torch.tensor(values), lambda model, x: model(x).sum())


def origin(function: Callable[[Tensor], Tensor], values: list[float]) -> Origin:
    found = measured(function, values).origin
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("function", "values", "op", "produced", "at"),
    [
        (torch.log, [1.0, 0.0, 2.0, 0.0], "log", "inf", [(1, 0.0), (3, 0.0)]),
        (torch.log, [1.0, -1.0, 2.0, 0.0], "log", "nan", [(1, -1.0)]),
        (torch.sqrt, [1.0, 2.0, -4.0, 0.0], "sqrt", "nan", [(2, -4.0)]),
        (lambda x: torch.exp(x).log(), [1.0, 2.0, 3.0, 100.0], "exp", "inf", [(3, 100.0)]),
        (lambda x: 1 / x, [1.0, 0.0, 2.0, 3.0], "reciprocal", "inf", [(1, 0.0)]),
    ],
)
def test_the_first_op_of_the_forward_pass_is_told_with_the_elements_that_went_in(
    function: Callable[[Tensor], Tensor], values: list[float], op: str, produced: str, at: list[tuple[int, float]]
) -> None:
    found = origin(function, values)
    assert (found.op, found.produced, found.node, found.numel) == (op, produced, -1, 4)
    operand = next(o for o in found.operands if o.elements)
    assert operand.elements == tuple(Element((index,), value) for index, value in at)
    assert found.count == (1 if produced == "nan" else len(at))
    assert (operand.smallest, operand.largest) == (min(values), max(values))
    assert found.source is not None and found.source.file.endswith("test_origin.py")
    assert found.unwanted is None


def test_a_pass_that_is_finite_has_no_origin() -> None:
    assert measured(torch.log, [1.0, 2.0, 3.0, 4.0]).origin is None


def test_a_constant_that_is_not_finite_is_no_origin_until_arithmetic_meets_it() -> None:
    def masked(x: Tensor) -> Tensor:
        x = x.masked_fill(x > 2, -math.inf)
        return x - x

    found = origin(masked, [1.0, 2.0, 3.0, 4.0])
    assert (found.op, found.produced, found.count) == ("sub", "nan", 2)


def test_memory_that_was_never_set_is_told_where_it_is_made_and_only_where_it_is_read() -> None:
    def laid_out(x: Tensor, written: int) -> Tensor:
        block = x.new_empty(2, 4)
        block[:written] = x
        return block.sum(0) * x

    torch.use_deterministic_algorithms(True)  # it fills memory that is not set with NaN
    try:
        found = origin(lambda x: laid_out(x, 1), [1.0, 2.0, 3.0, 4.0])
        assert measured(lambda x: laid_out(x, 2), [1.0, 2.0, 3.0, 4.0]).origin is None
    finally:
        torch.use_deterministic_algorithms(False)
    assert (found.op, found.produced, found.numel) == ("new_empty", "nan", 8)


@pytest.mark.parametrize("grad", [False, True])
def test_what_is_divided_by_a_sum_of_its_own_is_known_also_without_a_graph(grad: bool) -> None:
    def softmax(x: Tensor) -> Tensor:
        with torch.set_grad_enabled(grad):
            e = torch.exp(x)
            share = e / e.sum()
        return x * share

    assert origin(softmax, [1.0, 2.0, 3.0, 100.0]).normalised
    assert not origin(lambda x: torch.exp(x) / x, [1.0, 2.0, 3.0, 100.0]).normalised


def test_what_was_written_is_to_blame_where_it_alone_reached_the_loss() -> None:
    found = origin(lambda x: x.masked_fill(x > 2, math.inf), [1.0, 2.0, 3.0, 4.0])
    assert (found.op, found.produced, found.count) == ("masked_fill", "inf", 2)


def test_an_operand_that_is_overwritten_is_told_as_it_was() -> None:
    found = origin(lambda x: x.clone().log_(), [1.0, 0.0, 2.0, 3.0])
    assert found.operands[0].elements == (Element((1,), 0.0),)


@pytest.mark.parametrize(
    ("function", "values", "op", "unwanted"),
    [
        (torch.sqrt, [1.0, 0.0, 4.0, 9.0], "sqrt", 0.0),
        (lambda x: torch.where(x > 0, torch.sqrt(x), torch.zeros_like(x)), [1.0, 0.0, 4.0, 9.0], "sqrt", 1.0),
        (lambda x: x.clamp_min(0) ** 0.5, [1.0, 0.0, 4.0, 9.0], "pow", 0.0),
    ],
)
def test_the_op_of_the_backward_pass_is_told_with_whether_its_gradient_was_wanted(
    function: Callable[[Tensor], Tensor], values: list[float], op: str, unwanted: float
) -> None:
    measurement = measured(function, values)
    found = measurement.origin
    assert math.isfinite(measurement.loss)
    assert found is not None
    assert found.op == op
    assert found.node == measurement.culprit
    assert (found.count, found.numel, found.unwanted) == (1, 4, unwanted)
    assert found.produced == ("nan" if unwanted else "inf")
    assert any(o.elements == (Element((1,), 0.0),) for o in found.operands)


def searched(x: Tensor, index_of: str) -> Origin | None:
    """What a backward pass through sqrt shows of the node of that name."""
    loss = x.sqrt().sum()
    graph = Graph(loss.grad_fn)
    ops = [Op(name, i, -1, -1, 0.0, ()) for i, name in enumerate(graph.names)]
    search = BackwardSearch(graph, graph.names.index(index_of))
    loss.backward()
    return search.origin(ops, SourceTable("."))


def test_a_node_is_looked_at_while_the_pass_runs_through_it() -> None:
    found = searched(torch.tensor([0.0, 1.0], requires_grad=True), "SqrtBackward0")
    assert found is not None
    assert (found.op, found.node, found.produced, found.count) == ("sqrt", 1, "inf", 1)
    assert [o.name for o in found.operands] == ["result"]
    assert found.operands[0].elements == (Element((0,), 0.0),)


def test_a_node_that_was_finite_this_time_is_no_origin() -> None:
    assert searched(torch.tensor([4.0, 1.0], requires_grad=True), "SqrtBackward0") is None
    assert searched(torch.tensor([0.0, 1.0], requires_grad=True), "SumBackward0") is None


def test_a_zero_without_memory_is_not_read() -> None:
    found = origin(lambda x: torch.log((x + torch._efficientzerotensor((4,))) * 0), [1.0, 2.0, 3.0, 4.0])
    assert found.op == "log"


def test_an_op_that_makes_another_beside_one_that_is_gone_is_named() -> None:
    def function(x: Tensor) -> Tensor:
        grown = torch.exp2(x**3)  # Inf of the first, 0 of the last
        return 1e-10 * torch.ones(4) / grown  # 0 of Inf, and Inf of 0

    found = origin(function, [1e30, 1.0, 1.0, -100.0])
    assert (found.op, found.produced, found.count) == ("div", "inf", 1)


def scripted(x: Tensor) -> Tensor:
    y = x - 1
    return y.log() * 2


def test_the_line_of_a_scripted_function_is_told() -> None:
    found = origin(torch.jit.script(scripted), [1.0, 2.0, 3.0, 4.0])
    assert (found.op, found.source is not None and found.source.code) == ("log", "return y.log() * 2")


def test_what_torchscript_tells_of_a_failure_is_read(tmp_path: Path) -> None:
    file = tmp_path / "f.py"
    file.write_text("")
    told = (
        f'The following operation failed in the TorchScript interpreter.\n  File "{file}", line 8, in f\nRuntimeError'
    )
    assert scripted_place(RuntimeError(told)) == (str(file), 8)
    assert scripted_place(RuntimeError(told.replace(str(file), "code/__torch__/f.py"))) is None
    assert scripted_place(RuntimeError("something else")) is None
