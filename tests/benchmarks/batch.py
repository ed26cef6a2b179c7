"""`gradcheck batch` against separate runs of `gradcheck check`: `python -m tests.benchmarks.batch`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKS, ALONE = 200, 20
MODEL = """
import torch
from torch import nn
torch.manual_seed({seed})
model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 10))
batch = (torch.randn(64, 16), torch.arange(64) % 10)
loss = nn.functional.cross_entropy
"""


def seconds(*arguments: str) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "gradcheck_cli", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Print both times, scaled to the same number of checks."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"model_{seed}.py" for seed in range(CHECKS)]
        for seed, path in enumerate(paths):
            path.write_text(MODEL.format(seed=seed))
        config = Path(folder) / "gradcheck.yaml"
        config.write_text("version: 1\nchecks:\n" + "".join(f"  - {{model: {path.name}}}\n" for path in paths))
        single = Path(folder) / "one.yaml"
        single.write_text(f"version: 1\nchecks:\n  - {{model: {paths[0].name}}}\n")
        alone = sum(seconds("check", "--no-config", str(path)) for path in paths[:ALONE]) * CHECKS / ALONE
        together = seconds("batch", str(config))
        start = seconds("batch", str(single))
    print(f"{CHECKS} checks, one `gradcheck check` each ({ALONE} run, scaled)   {alone:7.1f} s")
    print(f"{CHECKS} checks, one `gradcheck batch`                              {together:7.1f} s")
    print(f"ratio                                                          {together / alone:7.3f}")
    print(f"per check, after the start of the first                        {1e3 * (together - start) / CHECKS:7.0f} ms")


if __name__ == "__main__":
    main()
