"""A diagnosis whose trials of remedies came to a bad end."""

from __future__ import annotations

from dataclasses import replace

from gradcheck_cli.records.report import Report


def unfinished(diagnosed: Report, stage: str, why: str) -> Report:
    """The report that stood before the trials, with a note on what ended them.

    Args:
        diagnosed: The report, with no remedy tried.
        stage: What was begun last, such as "trying: ReLU in place of sigmoid".
        why: What happened.
    """
    trial = stage.removeprefix("trying: ")
    which = f"trial of `{trial}`" if trial != stage else "trying of remedies"
    note = f"the {which} was cut short: {why}; the diagnosis stands without it"
    return replace(diagnosed, notes=(*diagnosed.notes, note.replace("\n", " ")))
