"""`gradcheck init [FOLDER]`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from gradcheck_cli.cli.failing import plain
from gradcheck_cli.cli.writing import emit, write_file
from gradcheck_cli.errors import ConfigError
from gradcheck_cli.opening import working_folder


def init(
    folder: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Where to look, and to write gradcheck.yaml.", show_default=False)
    ] = ".",
    force: Annotated[bool, typer.Option("--force", help="Overwrite a gradcheck.yaml that is there.")] = False,
) -> None:
    """Write a commented gradcheck.yaml for the models that FOLDER's Python files define; none is imported."""
    from gradcheck_cli.config import FILE_NAME
    from gradcheck_cli.config.candidates import find_candidates
    from gradcheck_cli.config.starter import starter
    from gradcheck_cli.words import count_of

    file = Path(folder) / FILE_NAME
    working_folder()
    if not os.path.isdir(folder):  # noqa: PTH112 - of a name that is too long as well
        raise ConfigError(f"there is no folder {folder}", hint="Name the folder that holds the models.")
    if file.exists() and not force:
        raise ConfigError(f"{file} is there already", hint="Use --force to overwrite it.")
    candidates = find_candidates(Path(folder))
    if not candidates:
        raise ConfigError(f"no file in {folder} defines a model", hint="Name the folder that holds the models.")
    write_file(file, starter(candidates))
    ready = sum(not each.needs for each in candidates)
    partly = f", and {count_of(len(candidates) - ready, 'model')} to complete" if ready < len(candidates) else ""
    emit(plain(f"wrote {file}: {count_of(ready, 'check')}{partly}\n"))
