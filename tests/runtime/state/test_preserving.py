"""The model and the process come back bit for bit, whatever happened in between."""

import gc
import random
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as global_hooks
from torch.utils import checkpoint

from gradcheck_cli import check
from gradcheck_cli.errors import GradcheckError, StateError
from gradcheck_cli.runtime.state import preserved
from tests.probe.comparing import Step

_GLOBAL_HOOKS = [name for name in vars(global_hooks) if name.startswith("_global_")]


class Raises(torch.autograd.Function):
    """Passes its input on, and fails on the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        raise RuntimeError("backward fails")


class Busy(nn.Module):
    """Changes everything that a forward pass can change."""

    def __init__(self, fails: str = "") -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 3)
        self.norm = nn.BatchNorm1d(4)
        self.quiet = nn.BatchNorm1d(4)
        self.drop = nn.Dropout(0.5)
        self.rnn = nn.LSTM(4, 5)
        self.head = nn.Linear(5, 2)
        self.frozen = nn.Linear(5, 2)
        self.frozen.requires_grad_(False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.register_buffer("odd", torch.tensor([float("nan"), float("inf"), -float("inf"), 1.0]))
        self.history: list[Any] = ["before"]
        self.cache: dict[str, Any] = {"kept": 1}
        self.seen: set[int] = {1}
        self.count = 3
        self.last: Any = None
        self.fails = fails

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        self.odd.fill_(torch.finfo(torch.float32).max)
        self.count += 1
        self.last = x.sum()
        self.history.append(x)
        self.cache["new"] = x
        self.seen.clear()
        self.extra = "made in forward"
        self.head.train(not self.head.training)
        self.frozen.requires_grad_(True)
        self.head.bias.requires_grad_(False)
        random.random(), np.random.rand(), torch.rand(1)
        torch.set_default_dtype(torch.float64)
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.autograd.set_detect_anomaly(True)
        if self.fails == "forward":
            raise RuntimeError("forward fails")
        y = self.quiet(self.norm(self.conv(x)))
        y, _ = self.rnn(self.drop(y).permute(2, 0, 1))
        y = checkpoint.checkpoint(self.head, y, use_reentrant=False) + self.frozen(y)
        return Raises.apply(y) if self.fails == "backward" else y


def step(model: nn.Module, batch: Tensor) -> Tensor:
    output = model(batch)
    if model.fails == "loss":
        raise RuntimeError("the loss fails")
    return output.square().mean()


def busy(fails: str = "") -> tuple[Busy, Tensor]:
    """A model with gradients, hooks of all kinds and a mixture of modes."""
    torch.manual_seed(0)
    model = Busy(fails).train()
    model.quiet.eval()
    model.rnn.eval()
    model.conv.weight.grad = torch.randn_like(model.conv.weight)
    model.head.weight.grad = torch.zeros_like(model.head.weight)
    model.conv.register_forward_hook(lambda *_: None)
    model.conv.register_forward_pre_hook(lambda *_: None)
    model.head.register_full_backward_hook(lambda *_: None)
    model.conv.weight.register_hook(lambda gradient: None)
    model.conv.weight.register_post_accumulate_grad_hook(lambda parameter: None)
    return model, torch.randn(6, 3, 8)


def _bits(tensor: Tensor) -> bytes:
    return tensor.detach().contiguous().numpy().tobytes()


def _plain(value: Any) -> Any:
    """Containers by identity and content, so that a swapped object shows too."""
    if isinstance(value, dict):
        return id(value), {key: id(v) for key, v in value.items()}
    return (id(value), [id(v) for v in value]) if isinstance(value, (list, set)) else id(value)


def of_model(model: nn.Module) -> dict[str, Any]:
    """Everything about a model that can be compared with ==."""
    found: dict[str, Any] = {}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        found[f"values of {name}"] = id(tensor), tensor.data_ptr(), tuple(tensor.shape), _bits(tensor)
        found[f"requires_grad of {name}"] = tensor.requires_grad
        found[f"grad of {name}"] = tensor.grad is not None and (id(tensor.grad), _bits(tensor.grad))
        hooks = tensor._backward_hooks, tensor._post_accumulate_grad_hooks
        found[f"hooks of {name}"] = [(id(h), dict(h)) if h is not None else None for h in hooks]
    for path, module in model.named_modules():
        found[f"attributes of {path}"] = {name: _plain(value) for name, value in vars(module).items()}
        found[f"mode of {path}"] = module.training
    return found


def of_process() -> dict[str, Any]:
    """The switches, generators and patched functions of the process."""
    kind, keys, *rest = np.random.get_state()
    return {
        "torch generator": _bits(torch.get_rng_state()),
        "python generator": random.getstate(),
        "numpy generator": (kind, keys.tobytes(), *rest),
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "default dtype": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "anomaly": (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        "mkldnn": torch._C._get_mkldnn_enabled(),
        "cudnn": torch.backends.cudnn.enabled,
        "threads": torch.get_num_threads(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "Function.apply": torch.autograd.Function.__dict__["apply"],
        "checkpoint": (checkpoint.CheckpointFunction, checkpoint._checkpoint_without_reentrant_generator),
        "global hooks": {n: _plain(getattr(global_hooks, n)) for n in _GLOBAL_HOOKS},
        "function modes": torch._C._len_torch_function_stack(),
        "dispatch modes": torch._C._len_torch_dispatch_stack(),
    }


@contextmanager
def unchanged(*models: nn.Module) -> Iterator[None]:
    """Assert that nothing changed inside, naming what did."""
    before = [of_process(), *map(of_model, models)]
    yield
    after = [of_process(), *map(of_model, models)]
    for was, now in zip(before, after, strict=True):
        assert was.keys() == now.keys()
        assert [key for key in was if was[key] != now[key]] == []


def run(model: nn.Module, batch: Any, step: Step, fails: str = "") -> None:
    """Check a model that raises where it is told to."""
    if not fails:
        check(model, batch, step=step)
        return
    with pytest.raises(GradcheckError, match="fails"):
        check(model, batch, step=step)


@pytest.mark.filterwarnings("ignore::UserWarning")
class TestEverythingComesBack:
    @pytest.mark.parametrize("fails", ["", "forward", "loss", "backward"])
    def test_after_success_and_failure(self, fails: str) -> None:
        model, batch = busy(fails)
        with unchanged(model):
            run(model, batch, step, fails)

    @pytest.mark.parametrize("fails", ["", "forward", "loss", "backward"])
    @pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
    def test_inside_a_grad_mode(self, mode: Callable[[], Any], fails: str) -> None:
        model, batch = busy(fails)
        with mode(), unchanged(model):
            run(model, batch, step, fails)

    def test_with_other_switches_than_the_defaults(self) -> None:
        model, batch = busy()
        torch.set_default_dtype(torch.float64)
        torch.use_deterministic_algorithms(True)
        try:
            with torch.autograd.set_detect_anomaly(True, check_nan=False), unchanged(model):
                run(model, batch.float(), step)
        finally:
            torch.set_default_dtype(torch.float32)
            torch.use_deterministic_algorithms(False)

    def test_a_batch_that_was_made_in_inference_mode(self) -> None:
        with torch.inference_mode():
            batch = torch.randn(6, 4)
        model = nn.Linear(4, 2)
        with unchanged(model):
            report = check(model, batch, step=lambda m, x: m(x).square().mean())
        assert report.layers[0].grad_norm is not None

    def test_a_nonfinite_loss_which_runs_the_forward_pass_again(self) -> None:
        model, batch = busy()
        with unchanged(model):
            run(model, batch, lambda m, b: (m(b) * 0).log().sum())

    @pytest.mark.parametrize(
        "step",
        [
            lambda m, b: (m(b) * 0).sqrt().sum(),
            lambda m, b: torch.where(m(b) > 1e9, 0.0, (m(b) * 0).sqrt()).sum(),
        ],
        ids=["not finite", "behind where"],
    )
    def test_a_nonfinite_gradient_which_runs_both_passes_again(self, step: Step) -> None:
        model, batch = busy()
        with unchanged(model):
            report = check(model, batch, step=step)
        assert "GC104" in [f.code for f in report.findings]

    def test_a_hidden_inf_which_runs_the_forward_pass_again(self) -> None:
        class Hides(nn.Linear):
            def forward(self, x: Tensor) -> Tensor:
                return super().forward(x) + torch.exp(1000 * x.abs().detach() + 100)

        def step(model: nn.Module, x: Tensor) -> Tensor:
            return torch.where(model(x).isinf(), x, 0.0).sum() + model.weight.sum()

        model, batch = Hides(4, 4), torch.randn(6, 4)
        with unchanged(model):
            report = check(model, batch, step=step)
        assert "GC105" in [f.code for f in report.findings]

    def test_a_low_precision_which_is_compared_with_float32(self) -> None:
        model, batch = (
            nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.BatchNorm1d(4)).half(),
            torch.randn(6, 4).half(),
        )
        with unchanged(model):
            check(model, batch, step=lambda m, b: m(b).float().square().mean())

    def test_global_module_hooks_stay_in_place_and_fire(self) -> None:
        fired: list[str] = []
        handle = global_hooks.register_module_forward_hook(lambda m, i, o: fired.append(type(m).__name__))
        try:
            model, batch = nn.Linear(4, 2), torch.randn(3, 4)
            with unchanged(model):
                check(model, batch, step=lambda m, x: m(x).sum())
        finally:
            handle.remove()
        assert set(fired) == {"Linear"}

    def test_gradient_of_a_leaf_that_is_no_parameter(self) -> None:
        batch = torch.randn(3, 4, requires_grad=True)
        batch.grad = kept = torch.ones(3, 4)
        check(nn.Linear(4, 2), batch, step=lambda m, x: m(x).square().sum())
        assert batch.grad is kept
        assert torch.equal(kept, torch.ones(3, 4))

    def test_the_same_report_twice(self) -> None:
        model, batch = busy()
        first, second = (check(model, batch, step=step) for _ in range(2))
        assert [layer.grad_norm for layer in first.layers] == [layer.grad_norm for layer in second.layers]
        assert first.loss == second.loss


# --------------------------------------------------------------------------- writes into parameters


class Writes(nn.Module):
    def __init__(self, write: Callable[[nn.Parameter], Any]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4))
        self.bias = nn.Parameter(torch.randn(4))
        self.write = write

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.write(self.weight)
        return x @ self.weight + self.bias


def _assign(weight: Tensor) -> None:
    weight.data[0] = 7.0


def _divide(weight: Tensor) -> None:
    weight /= weight.norm()


WRITES: dict[str, Callable[[nn.Parameter], Any]] = {
    "data.clamp_": lambda w: w.data.clamp_(-0.1, 0.1),
    "add_ under no_grad": lambda w: w.add_(1.0),
    "division in place": _divide,
    "setitem": _assign,
    "copy_": lambda w: w.copy_(torch.zeros(4, 4)),
    "a view": lambda w: w.view(-1).zero_(),
    "a row": lambda w: w[1].mul_(3.0),
    "detach": lambda w: w.detach().fill_(2.0),
    "init": lambda w: nn.init.normal_(w),
    "foreach": lambda w: torch._foreach_add_([w], 1.0),
    "out": lambda w: torch.add(w, 1.0, out=w),
    "renorm_": lambda w: w.renorm_(2, 0, 0.1),
    "lerp_": lambda w: w.lerp_(torch.zeros(4, 4), 0.5),
    "vector_to_parameters": lambda w: nn.utils.vector_to_parameters(torch.zeros(16), [w]),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_forward_pass_that_writes_into_parameters(write: str) -> None:
    model = Writes(WRITES[write])
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    check(model, torch.randn(5, 4), step=lambda m, x: m(x).square().mean())
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name])


@pytest.mark.parametrize("optimiser", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize("foreach", [False, True])
def test_an_optimiser_step_inside_the_training_step(optimiser: Callable[..., Any], foreach: bool) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
    steps = optimiser(model.parameters(), lr=0.1, foreach=foreach)

    def step(model: nn.Module, x: Tensor) -> Tensor:
        steps.zero_grad()
        model(x).square().mean().backward()
        steps.step()
        steps.zero_grad()
        return model(x).square().mean()

    batch = torch.randn(5, 4)
    with unchanged(model):
        check(model, batch, step=step)


# --------------------------------------------------------------------------- state that is too large to copy


@pytest.fixture
def _nothing_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcheck_cli.runtime.state.bits.COPIED", 0)


def _by_numpy(weight: Tensor) -> None:
    weight.detach().numpy()[0, 0] += 1.0


def _unseen(weight: Tensor) -> None:
    with torch._C.DisableTorchFunction():
        weight.add_(1.0)


@pytest.mark.usefixtures("_nothing_is_copied")
class TestLargeState:
    @pytest.mark.parametrize("write", WRITES)
    def test_a_write_that_torch_shows_is_undone(self, write: str) -> None:
        model, batch = Writes(WRITES[write]), torch.randn(5, 4)
        with unchanged(model):
            check(model, batch, step=lambda m, x: m(x).square().mean())

    @pytest.mark.parametrize("write", [_by_numpy, _unseen])
    def test_one_that_it_does_not_show_is_told(self, write: Callable[[Tensor], None]) -> None:
        model = Writes(write)
        with pytest.raises(StateError, match=r"the check changed `weight` and could not undo it"):
            check(model, torch.randn(5, 4), step=lambda m, x: m(x).square().mean())

    def test_it_is_told_also_where_the_pass_raises(self) -> None:
        model = Writes(_unseen)
        with pytest.raises(StateError, match="`weight`"):
            check(model, torch.randn(5, 9), step=lambda m, x: m(x).sum())

    def test_an_optimiser_in_backward_is_undone(self) -> None:
        model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
        for parameter in model.parameters():
            parameter.register_hook(lambda gradient, p=parameter: p.data.sub_(0.1 * gradient))
        batch = torch.randn(5, 4)
        with unchanged(model):
            check(model, batch, step=lambda m, x: m(x).square().mean())

    def test_the_batch_is_copied_all_the_same(self) -> None:
        batch = torch.randn(5, 4)
        before = batch.clone()
        check(nn.Linear(4, 2), batch, step=lambda m, x: m(x.detach().numpy().fill(1) or x).square().mean())
        assert torch.equal(batch, before)


class TestPreserved:
    def test_it_can_be_restored_in_between_and_again(self) -> None:
        model = nn.Linear(3, 2)
        before = model.weight.detach().clone()
        with preserved(model) as state:
            for _ in range(2):
                model.weight.data.zero_()
                state.restore()
                assert torch.equal(model.weight, before)
            model.weight.data.zero_()
        assert torch.equal(model.weight, before)

    def test_what_refuses_to_be_put_back_is_told_and_the_rest_is_put_back(self) -> None:
        model, base = nn.Linear(3, 2), torch.zeros(4, 3)
        model.window = base[:2]
        with pytest.raises(StateError, match=r"`window`"), unchanged_values(model), preserved(model):
            model.bias.data.zero_()
            model.window.mul_(model.weight.sum())  # now it is part of a graph, and a view cannot leave one

    def test_memory_that_torch_does_not_show_is_watched_by_its_version(self) -> None:
        model = nn.Linear(3, 2)
        model.hidden = torch.ones(4, 4).to_mkldnn()
        with pytest.raises(StateError, match=r"`hidden`"), preserved(model):
            model.hidden.add_(model.hidden)

    def test_a_scripted_model_comes_back(self) -> None:
        model = torch.jit.script(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)))
        before = [t.detach().clone() for t in (*model.parameters(), *model.buffers())]
        with preserved(model):
            model(torch.randn(5, 3)).sum().backward()
            for parameter in model.parameters():
                parameter.data.zero_()
        assert all(map(torch.equal, (*model.parameters(), *model.buffers()), before))
        assert [p.grad for p in model.parameters()] == [None] * 4

    def test_a_loss_module_comes_back(self) -> None:
        loss = nn.BatchNorm1d(2)
        with preserved(nn.Linear(3, 2), None, loss):
            loss(torch.randn(5, 2))
        assert int(loss.num_batches_tracked) == 0

    def test_nothing_is_held_of_what_hangs_on_a_library(self) -> None:
        model = nn.Linear(3, 2)
        model.thread = thread = threading.Thread(target=int)
        with preserved(model):
            thread.start()
            thread.join()
        assert not thread.is_alive()

    def test_many_layers_take_linear_time(self) -> None:
        def undos(count: int) -> int:
            with preserved(nn.ModuleList([nn.Linear(1, 1) for _ in range(count)])) as state:
                return len(state._undos)

        assert undos(200) < 2.2 * undos(100)


@contextmanager
def unchanged_values(model: nn.Module) -> Iterator[None]:
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    try:
        yield
    finally:
        for name, parameter in model.named_parameters():
            assert torch.equal(parameter, before[name])


# --------------------------------------------------------------------------- leaks


class Hoarder(nn.Module):
    """Keeps its last output, as models with auxiliary losses do."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.LSTM(4, 3))
        self.kept: Any = None

    def forward(self, x: Tensor) -> Tensor:
        self.kept, _ = self.net(x)
        return self.kept


@pytest.mark.parametrize("fails", [False, True])
def test_no_reference_to_the_model_or_the_batch_remains(fails: bool) -> None:
    def step(model: nn.Module, x: Tensor) -> Tensor:
        y = model(x)
        return (Raises.apply(y) if fails else y).square().mean()

    model, batch = Hoarder(), torch.randn(5, 4)
    run(model, batch, step, "fails" if fails else "")
    dead = weakref.ref(model), weakref.ref(batch), weakref.ref(model.net[0].weight)
    del model, batch
    gc.collect()
    assert [reference() for reference in dead] == [None, None, None]
