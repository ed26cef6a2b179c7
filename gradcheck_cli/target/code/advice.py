"""What to type next, by what somebody's code raised: a row for every way in which a foreign file is seen to fail."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

_UNDER_MAIN = "Put what only a script does under `if __name__ == '__main__':`"


@dataclass(frozen=True, slots=True)
class Advice:
    """A row of the table.

    Args:
        kinds: The names of the exceptions' classes, since torch's and others' are not imported here; () for any.
        words: What their message holds, as a pattern.
        hint: What to do; `{0}`, `{1}` are the pattern's groups.
        importing: Only while a file is imported.
    """

    kinds: tuple[str, ...]
    words: str
    hint: str
    importing: bool = False

    def fits(self, exc: BaseException, message: str, *, importing: bool) -> re.Match[str] | None:
        """How it fits what was raised, if it does."""
        if self.kinds and not {kind.__name__ for kind in type(exc).__mro__} & set(self.kinds):
            return None
        return re.search(self.words, message, re.DOTALL) if importing or not self.importing else None


def _row(kinds: str, words: str, hint: str) -> Advice:
    return Advice(tuple(kinds.split()), words, hint)


def _at_import(kinds: str, words: str, hint: str) -> Advice:
    return Advice(tuple(kinds.split()), words, hint, importing=True)


TABLE = (
    _row(
        "", "backward through the graph a second time", "If the step calls .backward(), drop it: gradcheck does that."
    ),
    _row(
        "",
        "modified by an inplace operation",
        "Write y = y + x in place of y += x, and inplace=False, on what is used again.",
    ),
    _row(
        "AssertionError RuntimeError",
        "not compiled with CUDA|NVIDIA driver|No CUDA GPUs|CUDA_VISIBLE_DEVICES|deserialize object on a CUDA",
        'Write "cuda" if torch.cuda.is_available() else "cpu", and torch.load(..., map_location="cpu"); '
        "--device cuda moves the model where there is one.",
    ),
    _row(
        "IndexError RuntimeError",
        r"Target -?\d+ is out of bounds",
        "Number the classes from 0, or widen the last layer.",
    ),
    _row("IndexError", "index out of range in self", "Raise num_embeddings, or mend the indices of the batch."),
    _row(
        "RuntimeError",
        "all elements of (?:input|target) should be between 0 and 1",
        "Use nn.BCEWithLogitsLoss, which takes any output, with targets from 0 to 1; or end the model in a sigmoid.",
    ),
    _row("ValueError", "more than 1 value per channel", "Give the batch two samples or more, or add --eval."),
    _row(
        "RuntimeError",
        r"same dtype|expected scalar type|Input type .* and \w+ type|expected .* dtype",
        "Cast the batch, as with x.float(), or the model, with --dtype float64.",
    ),
    _row(
        "RuntimeError ValueError",
        r"cannot be multiplied|size mismatch|must match|expected input\[|Expected .* dimensional|Expected \d+D"
        r"|is invalid for input of size|normalized_shape|input_size|size of tensor|channels",
        'Mend the layer or the batch; --input "float32[8,4]" tries another shape.',
    ),
    _row(
        "TypeError",
        r"missing \d+ required positional arguments?",
        'Return a dict of the inputs from batch(), or give each: --input "NAME=float32[8,4]".',
    ),
    _at_import(
        "ImportError",
        "attempted relative import",
        "Name it as a part of its package, from the folder above that: gradcheck check package.module.",
    ),
    _at_import(
        "ImportError",
        r"cannot import name '[^']*' from '([^'.]+)",
        "Another version of it may have that: pip install --upgrade {0}.",
    ),
    _at_import(
        "FileNotFoundError NotADirectoryError",
        "",
        f"Run gradcheck in the folder from which it finds that file. {_UNDER_MAIN}, such as to load data and weights.",
    ),
    _at_import("EOFError", "reading a line", f"It asks for input. {_UNDER_MAIN}."),
    _at_import("SyntaxError", "", "Mend it until `python -m py_compile FILE` says nothing; is it for another Python?"),
    _at_import("PermissionError", "", "See whether you may read that file: ls -l."),
)


def advice(exc: BaseException, message: str, *, importing: bool) -> str:
    """A hint for what was raised, or "" where the table has none."""
    return next(_found(exc, message, importing=importing), "")


def _found(exc: BaseException, message: str, *, importing: bool) -> Iterator[str]:
    if isinstance(exc, KeyError) and _in_environment(exc):
        yield f"Set it before the command: {exc.args[0]}=VALUE gradcheck check ..."
    for row in TABLE:
        if found := row.fits(exc, message, importing=importing):
            yield row.hint.format(*found.groups()) if found.groups() else row.hint
    if importing:
        yield f"To import it must need no arguments, data or GPU. {_UNDER_MAIN}."


def _in_environment(exc: BaseException) -> bool:
    """Whether it was `os.environ[...]` that did not have the key."""
    frames = traceback.extract_tb(exc.__traceback__)
    return bool(frames) and frames[-1].name == "__getitem__" and frames[-1].filename.endswith(("os.py", "<frozen os>"))
