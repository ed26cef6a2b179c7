"""Run a script for so many updates, and write down a hash of what it has trained: `hold.py FILE STEPS SCRIPT [ARGS]`.

The script is not touched. What it trains is what its optimisers hold, and what modules stand in its namespace.
"""

from __future__ import annotations

import hashlib
import os
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook


class Enough(SystemExit):
    """So many updates were made."""


def main() -> None:
    to, steps, script = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    optimizers: list[torch.optim.Optimizer] = []
    made = [0]

    def stepped(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        if not any(optimizer is known for known in optimizers):
            optimizers.append(optimizer)
        made[0] += 1
        if made[0] == steps:
            raise Enough(0)

    if seed := os.environ.get("HOLD_SEED"):  # for scripts that draw from no seed
        torch.manual_seed(int(seed))
        np.random.seed(int(seed))
    register_optimizer_step_post_hook(stepped)
    sys.argv = sys.argv[3:]
    sys.path[0] = str(Path(script).resolve().parent)
    names: dict[str, Any] = {}
    try:
        names = runpy.run_path(script, run_name="__main__")
    except Enough:
        pass
    finally:
        held = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
        held += [t for m in names.values() if isinstance(m, torch.nn.Module) for t in m.state_dict().values()]
        content = b"".join(t.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes() for t in held)
        to.write_text(f"{len(held)} tensors {hashlib.sha256(content).hexdigest()}", encoding="ascii")


if __name__ == "__main__":
    main()
