"""Every op belongs to the innermost module that ran it, and to the user's line that called it."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradcheck_cli.records.measurement import Measurement, Op
from gradcheck_cli.records.source import SourceLine
from tests.probe.comparing import probed


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 2 * gradient


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        x = x @ self.weight  # inner: MmBackward0
        x = torch.sigmoid(x)  # inner: SigmoidBackward0
        return x.tanh()  # inner: TanhBackward0


class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()
        self.stack = nn.Sequential(nn.Linear(4, 4), nn.ELU())
        self.attend = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.inner(x))  # outer: GeluBackward0
        x = Doubled.apply(x)  # outer: DoubledBackward
        x = self.stack(x)  # stack.1: EluBackward0
        x = self.attend(x[None], x[None], x[None])[0][0]
        x = self.helper(x)
        return torch.stack([row.cos() for row in x])  # outer: CosBackward0

    def helper(self, x: Tensor) -> Tensor:
        return torch.sin(  # outer: SinBackward0
            torch.exp(x),  # outer: ExpBackward0
        )


def step(model: nn.Module, x: Tensor) -> Tensor:
    return model(x).square().mean()  # loss: MeanBackward0


@pytest.fixture(scope="module")
def measurement() -> Measurement:
    torch.manual_seed(0)
    return probed(Outer(), torch.randn(5, 4), step)


def ops(measurement: Measurement, name: str) -> list[Op]:
    return [op for op in measurement.ops if op.name == name]


def path(measurement: Measurement, op: Op) -> str | None:
    return measurement.modules[op.module].path if op.module >= 0 else None


def line(measurement: Measurement, op: Op) -> SourceLine:
    assert op.source >= 0
    return measurement.sources[op.source]


def marked(name: str) -> tuple[int, str]:
    """The number and the text of the line of this file that ends in a comment naming the op."""
    for number, text in enumerate(Path(__file__).read_text(encoding="utf-8").splitlines(), 1):
        if text.endswith(f": {name}"):
            return number, text.strip()
    raise LookupError(name)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("MmBackward0", "inner"),
        ("SigmoidBackward0", "inner"),
        ("TanhBackward0", "inner"),
        ("GeluBackward0", ""),
        ("DoubledBackward", ""),
        ("EluBackward0", "stack.1"),
        ("SinBackward0", ""),
        ("ExpBackward0", ""),
        ("CosBackward0", ""),
        ("MeanBackward0", None),
    ],
)
def test_module_and_line(measurement: Measurement, name: str, module: str | None) -> None:
    found = ops(measurement, name)
    here = [op for op in found if path(measurement, op) == module]
    assert here if name == "MmBackward0" else here == found
    number, text = marked(name)
    for op in here:
        source = line(measurement, op)
        assert (source.line, source.code) == (number, text)
        assert source.file == "tests/probe/test_attribution.py"


def test_parts_of_attention_that_are_called_functionally(measurement: Measurement) -> None:
    """The output projection is never called as a module; its ops belong to the attention that used it."""
    leaves = {p.names[0]: p.op for p in measurement.parameters}
    above = {edge.to: op for op in measurement.ops for edge in op.edges if edge.to in leaves.values()}
    assert path(measurement, above[leaves["attend.out_proj.bias"]]) == "attend"
    assert path(measurement, above[leaves["attend.in_proj_bias"]]) == "attend"
    assert path(measurement, above[leaves["stack.0.bias"]]) == "stack.0"


def test_every_op_of_the_model_has_a_module_and_a_line(measurement: Measurement) -> None:
    outside = {op.name for op in measurement.ops if op.module < 0}
    assert outside == {"MeanBackward0", "PowBackward0", "AccumulateGrad"}
    assert [op.name for op in measurement.ops if op.source < 0 and op.name != "AccumulateGrad"] == []


def test_a_file_outside_the_working_folder_is_shown_in_full(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.py"
    file.write_text("def step(model, x):\n    y = model(x)\n    return y.square().mean()\n", encoding="utf-8")
    scope: dict[str, Callable[..., Tensor]] = {}
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), scope)
    measurement = probed(nn.Linear(4, 2), torch.randn(3, 4), scope["step"])
    source = line(measurement, ops(measurement, "MeanBackward0")[0])
    assert (source.file, source.line, source.code) == (str(file), 3, "return y.square().mean()")


def test_code_without_a_file_has_a_line_number_and_no_text() -> None:
    scope: dict[str, Callable[..., Tensor]] = {}
    exec("def step(model, x):\n    return model(x).sum()\n", scope)
    measurement = probed(nn.Linear(4, 2), torch.randn(3, 4), scope["step"])
    source = line(measurement, ops(measurement, "SumBackward0")[0])
    assert (source.line, source.code) == (2, "")


def test_a_module_that_is_called_again_after_an_error_in_another_was_caught() -> None:
    class Fails(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            raise ValueError("not today")

    class Copes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Fails(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            try:
                x = self.first(x)
            except ValueError:
                x = self.second(x)
            return x.tanh()

    measurement = probed(Copes(), torch.randn(3, 4), step)
    assert path(measurement, ops(measurement, "TanhBackward0")[0]) == ""
    assert path(measurement, ops(measurement, "AddmmBackward0")[0]) == "second"


def test_a_module_used_twice_owns_the_ops_of_both_calls() -> None:
    layer = nn.Linear(4, 4)
    measurement = probed(nn.Sequential(layer, nn.Tanh(), layer), torch.randn(3, 4), step)
    assert [path(measurement, op) for op in ops(measurement, "AddmmBackward0")] == ["0", "0"]
    assert measurement.modules[1].calls == 2


def test_the_line_of_a_layer_is_the_one_that_called_it() -> None:
    from gradcheck_cli import check

    report = check(Outer(), torch.randn(5, 4), step=step)
    layer = next(layer for layer in report.layers if layer.path == "stack.0")
    number, _ = marked("EluBackward0")
    assert layer.source is not None
    assert layer.source.line == number
    assert inspect.getsource(Outer).count(layer.source.code) == 1
