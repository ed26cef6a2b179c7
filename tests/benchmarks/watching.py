"""What `gradcheck run` costs: the CPU time of a step of a script alone and under the watcher.

Run `python -m tests.benchmarks.watching [--only NAME] [--rounds N]`. Both run in one process and in turns, A B A B,
in blocks of steps, so that a busy machine slows both alike; what is told is the median over the blocks. The first
steps, in which everything is seen for the first time and step 1 would be diagnosed, are not timed. `--profile` tells
where the watcher's time goes. With `--memory`: the peak RSS of scripts that hold much or whose graphs linger, alone
and watched. Large blocks are mapped one by one there, so that what is measured is what is held: where glibc puts them
on its heap instead, the same script alone takes 451 MB one time and 541 MB another.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from torch import Tensor, nn

NAMES = ("mlp", "cnn", "gpt")
MEMORY = ("auxiliary", "micro-batches", "wide micro-batches")
WARM = 30
Step = Callable[[], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--only", choices=(*NAMES, *MEMORY), help="measure one script")
    parser.add_argument("--rounds", type=int, default=15, help="timed blocks of each script (default 15)")
    parser.add_argument("--profile", action="store_true", help="tell where the watcher's time goes")
    parser.add_argument("--memory", action="store_true", help="measure memory, not time")
    parser.add_argument("--child", nargs=2, metavar=("SCRIPT", "METHOD"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(_peak(*asked.child)))
    elif asked.memory or asked.only in MEMORY:
        Console().print(_memory([name for name in MEMORY if asked.only in (None, name)]))
    elif asked.profile:
        for name in (name for name in NAMES if asked.only in (None, name)):
            _profiled(name)
    else:
        Console().print(_times([name for name in NAMES if asked.only in (None, name)], asked.rounds))


# -- the tables


def _times(names: list[str], rounds: int) -> Table:
    table = Table("script", "alone ms", "watched ms", "added ms", "%", title="CPU time of a step")
    for column in table.columns[1:]:
        column.justify = "right"
    for name in names:
        alone, watched = _paired(name, rounds)
        added = median(b - a for a, b in zip(alone, watched, strict=True))
        row = (median(alone), median(watched), added)
        table.add_row(name, *(f"{1e3 * value:.3f}" for value in row), f"{100 * added / median(alone):.1f}")
    return table


def _memory(names: list[str]) -> Table:
    table = Table("script", "alone MB", "watched MB", "ratio", title="Peak RSS")
    for name in names:
        alone, watched = peaks(name)
        table.add_row(name, f"{alone:.0f}", f"{watched:.0f}", f"{watched / alone:.3f}")
    return table


def peaks(name: str) -> tuple[float, float]:
    """The peak RSS of a script alone and watched, in MB; each in a process of its own."""
    alone, watched = (_child(name, method) for method in ("alone", "watched"))
    return alone, watched


def _child(name: str, method: str) -> float:
    command = (sys.executable, "-m", "tests.benchmarks.watching", "--child", name, method)
    mapped = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=mapped)
    return float(json.loads(done.stdout.splitlines()[-1]))


# -- time


def _paired(name: str, rounds: int) -> tuple[list[float], list[float]]:
    """CPU seconds a step: of blocks alone, and of blocks under a watcher, in turns."""
    alone, watched = script(name), script(name)
    watcher = _watcher()
    found: tuple[list[float], list[float]] = [], []
    _run(alone, WARM)
    _under(watcher, lambda: _run(watched, WARM))
    count = max(3, round(0.2 / (_run(alone, 10) or 1e-3)))
    for _ in range(rounds):
        found[0].append(_run(alone, count))
        _under(watcher, lambda: found[1].append(_run(watched, count)))
    return found


def _run(step: Step, count: int) -> float:
    started = time.process_time()
    for _ in range(count):
        step()
    return (time.process_time() - started) / count


def _watcher() -> Any:
    from gradcheck_cli.records.run import RunOptions
    from gradcheck_cli.watch.session import Session
    from gradcheck_cli.watch.watcher import Watcher
    from gradcheck_cli.worker.watched import _chance, _Explaining

    options = RunOptions(command=("train.py",), first=False)
    return Watcher(options, Session(tempfile.mkdtemp()), _Explaining(options), _chance)


def _under(watcher: Any, work: Callable[[], Any]) -> None:
    watcher.install()
    try:
        work()
    finally:
        watcher.remove()
        watcher._tape.enabled = True  # it is installed again for the next block


def _profiled(name: str) -> None:
    step, watcher = script(name), _watcher()
    profile = cProfile.Profile()

    def work() -> None:
        _run(step, WARM)
        profile.runcall(_run, step, 300)

    _under(watcher, work)
    pstats.Stats(profile).sort_stats("tottime").print_stats("gradcheck_cli|built-in|torch/_foreach", 45)


# -- memory


def _peak(name: str, method: str) -> float:
    step = script(name)
    if method == "watched":
        _watcher().install()
    for _ in range(6):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


# -- the scripts


def script(name: str) -> Step:
    """A loop's body, with a model of its own."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    made: dict[str, Callable[[], Step]] = {
        "mlp": _mlp,
        "cnn": _cnn,
        "gpt": _gpt,
        "auxiliary": _auxiliary,
        "micro-batches": _micro_batches,
        "wide micro-batches": lambda: _micro_batches(wide=True),
    }
    return made[name]()


def _loop(model: nn.Module, loss_of: Callable[[], Tensor]) -> Step:
    import torch

    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()

    return step


def _mlp() -> Step:
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    x, y = torch.randn(64, 64), torch.randint(0, 10, (64,))
    return _loop(model, lambda: nn.functional.cross_entropy(model(x), y))


def _cnn() -> Step:
    import torch
    from torch import nn

    layers: list[nn.Module] = []
    for i, o in ((3, 16), (16, 32), (32, 32), (32, 64)):
        layers += [nn.Conv2d(i, o, 3, 2, 1), nn.BatchNorm2d(o), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    x, y = torch.randn(32, 3, 32, 32), torch.randint(0, 10, (32,))
    return _loop(model, lambda: nn.functional.cross_entropy(model(x), y))


def _gpt() -> Step:
    import torch
    from torch import nn

    class Gpt(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.places = nn.Embedding(256, 128), nn.Embedding(64, 128)
            block = [nn.TransformerEncoderLayer(128, 4, 512, 0.1, "gelu", batch_first=True, norm_first=True)]
            self.blocks = nn.TransformerEncoder(block[0], 4, enable_nested_tensor=False)
            self.head = nn.Linear(128, 256)
            self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(64))

        def forward(self, ids: Tensor) -> Tensor:
            h = self.tokens(ids) + self.places(torch.arange(ids.shape[1]))
            found: Tensor = self.head(self.blocks(h, mask=self.mask, is_causal=True))
            return found

    model = Gpt()
    ids = torch.randint(0, 256, (8, 65))
    return _loop(
        model, lambda: nn.functional.cross_entropy(model(ids[:, :-1]).reshape(-1, 256), ids[:, 1:].reshape(-1))
    )


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

    model = Two()

    def loss_of() -> Tensor:
        out, auxiliary = model(torch.randn(2048, 256))
        auxiliary.abs().mean()
        found: Tensor = out.square().mean()
        return found

    return _loop(model, loss_of)


def _micro_batches(*, wide: bool = False) -> Step:
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


if __name__ == "__main__":
    main()
