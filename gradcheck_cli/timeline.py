"""One run from its session to a timeline. STUB, to be replaced."""

from __future__ import annotations

from gradcheck_cli.records.choices import Status
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.session import Process
from gradcheck_cli.records.timeline import Timeline


def assembled(processes: tuple[Process, ...], options: RunOptions, script_exit: int, seconds: float) -> Timeline:
    """What the processes left, as one."""
    steps = max((len(p.vitals) for p in processes), default=0)
    return Timeline(
        command=options.command,
        status=Status.HEALTHY if steps else Status.UNKNOWN,
        exit_code=script_exit or (0 if steps else 2),
        script_exit=script_exit,
        steps=steps,
        ranks=sum(bool(p.vitals) for p in processes),
        notes=tuple(note for p in processes for note in (*p.notes, p.aside) if note),
        seconds={"total": seconds},
    )
