"""The training loops that `gradcheck run` is measured on: five models from 0.7 to 400 ms a step, two that hold much."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

MODELS = ("mlp", "lstm", "cnn", "resnet", "gpt")
"""By the time of a step."""
Step = Callable[[], None]


def script(name: str, *, amp: bool = False, micro_batches: int = 1, ddp: bool = False) -> Step:
    """A loop's body, with a model of its own.

    Args:
        name: One of `MODELS`, or "auxiliary", "micro-batches", "wide micro-batches".
        amp: Whether the forward pass runs under autocast to bfloat16.
        micro_batches: Backward passes of an update.
        ddp: Whether the model is one rank's of DistributedDataParallel; the process group is there.
    """
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    if name in _MODELS:
        return _loop(*_MODELS[name](), amp=amp, micro_batches=micro_batches, ddp=ddp)
    return _auxiliary() if name == "auxiliary" else _micro_batches(wide=name.startswith("wide"))


def _loop(
    model: nn.Module, loss_of: Callable[[nn.Module], Tensor], *, amp: bool, micro_batches: int, ddp: bool
) -> Step:
    import torch

    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    called = torch.nn.parallel.DistributedDataParallel(model) if ddp else model

    def region() -> AbstractContextManager[object]:
        return torch.autocast("cpu", torch.bfloat16) if amp else nullcontext()

    def step() -> None:
        optimizer.zero_grad()
        for _ in range(micro_batches):
            with region():
                loss = loss_of(called)
                loss = loss / micro_batches if micro_batches > 1 else loss
            loss.backward()
        optimizer.step()

    return step


Made = tuple["nn.Module", Callable[["nn.Module"], "Tensor"]]


def _mlp() -> Made:
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    x, y = torch.randn(64, 64), torch.randint(0, 10, (64,))
    return model, lambda called: nn.functional.cross_entropy(called(x), y)


def _lstm() -> Made:
    import torch
    from torch import nn

    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.body, self.head = nn.Embedding(100, 32), nn.LSTM(32, 64, 1), nn.Linear(64, 100)

        def forward(self, ids: Tensor) -> Tensor:
            found: Tensor = self.head(self.body(self.tokens(ids))[0])
            return found

    ids = torch.randint(0, 100, (25, 8))
    return Tagger(), lambda called: nn.functional.cross_entropy(called(ids[:-1]).flatten(0, 1), ids[1:].flatten())


def _cnn() -> Made:
    import torch
    from torch import nn

    layers: list[nn.Module] = []
    for i, o in ((3, 16), (16, 32), (32, 32), (32, 64)):
        layers += [nn.Conv2d(i, o, 3, 2, 1), nn.BatchNorm2d(o), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    x, y = torch.randn(32, 3, 32, 32), torch.randint(0, 10, (32,))
    return model, lambda called: nn.functional.cross_entropy(called(x), y)


def _resnet() -> Made:
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, i: int, o: int) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(i, o, 3, 1 if i == o else 2, 1, bias=False),
                nn.BatchNorm2d(o),
                nn.ReLU(),
                nn.Conv2d(o, o, 3, 1, 1, bias=False),
                nn.BatchNorm2d(o),
            )
            self.short = nn.Conv2d(i, o, 1, 2, bias=False) if i != o else nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = nn.functional.relu(self.body(x) + self.short(x))
            return found

    widths = (16, 16, 16, 32, 32, 64, 64)
    blocks = [Block(i, o) for i, o in pairwise(widths)]
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1), nn.ReLU(), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)
    )
    x, y = torch.randn(32, 3, 32, 32), torch.randint(0, 10, (32,))
    return model, lambda called: nn.functional.cross_entropy(called(x), y)


def _gpt() -> Made:
    """12 million parameters in 76 tensors, 4 sequences of 128 tokens."""
    import torch
    from torch import nn

    class Gpt(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.places = nn.Embedding(2048, 384), nn.Embedding(128, 384)
            block = nn.TransformerEncoderLayer(384, 6, 1536, 0.1, "gelu", batch_first=True, norm_first=True)
            self.blocks = nn.TransformerEncoder(block, 6, enable_nested_tensor=False)
            self.head = nn.Linear(384, 2048)
            self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(128))

        def forward(self, ids: Tensor) -> Tensor:
            h = self.tokens(ids) + self.places(torch.arange(ids.shape[1]))
            found: Tensor = self.head(self.blocks(h, mask=self.mask, is_causal=True))
            return found

    ids = torch.randint(0, 2048, (4, 129))
    return Gpt(), lambda called: nn.functional.cross_entropy(called(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())


_MODELS: dict[str, Callable[[], Made]] = {"mlp": _mlp, "lstm": _lstm, "cnn": _cnn, "resnet": _resnet, "gpt": _gpt}


def _auxiliary() -> Step:
    """An output that is never backpropagated, and kept: its graph is freed with it, not before."""
    import torch
    from torch import nn

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.Linear(256, 512), nn.Linear(512, 1)
            self.other = nn.Sequential(nn.Linear(512, 2048), nn.GELU(), nn.Linear(2048, 2048), nn.GELU())

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            h = self.body(x).relu()
            return self.head(h), self.other(h)

    def loss_of(called: nn.Module) -> Tensor:
        out, auxiliary = called(torch.randn(2048, 256))
        auxiliary.abs().mean()
        found: Tensor = out.square().mean()
        return found

    return _loop(Two(), loss_of, amp=False, micro_batches=1, ddp=False)


def _micro_batches(*, wide: bool) -> Step:
    """16 of token ids, or of inputs that take a twentieth of the memory of the activations."""
    import torch
    from torch import nn

    first = nn.Linear(256, 1024) if wide else nn.Embedding(1000, 1024)
    model = nn.Sequential(first, nn.GELU(), nn.Linear(1024, 1024), nn.GELU(), nn.Linear(1024, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        for _ in range(16):
            x = torch.randn(4096, 256) if wide else torch.randint(0, 1000, (4096,))
            (model(x).square().mean() / 16).backward()
        optimizer.step()

    return step
