"""STUB, to be replaced: says each optimiser step."""

from __future__ import annotations


def attach(folder: str) -> None:
    """Say every optimiser step in the session."""
    from torch.optim import optimizer

    from gradcheck_cli.records.timeline import Vital
    from gradcheck_cli.watch.session import Session, read_options

    read_options(folder)
    session = Session(folder)
    count = 0

    def stepped(*_: object) -> None:
        nonlocal count
        count += 1
        session.vital(Vital(step=count))

    optimizer.register_optimizer_step_post_hook(stepped)
