"""`--redact`: a result without the values of the user's data and without folders, for where it is pasted.

One walk over the records before anything is drawn, so that no format can forget it. A number in a sentence stays only
where it is known to be none of the data: a count, a place, or part of a clause about the loss, gradients or steps that
speaks of no data. What nobody thought of is therefore left out.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar

from gradcheck_cli.errors import GradcheckError
from gradcheck_cli.records.source import SourceLine

LEFT_OUT = "…"
"""In the place of a value."""
_Record = TypeVar("_Record")
_SENTENCES = frozenset(("message", "why", "told", "note", "notes"))
"""Fields that hold sentences with measured numbers."""
_KEPT_AS_THEY_ARE = frozenset(("op", "rule", "cause", "layers", "path", "versions"))
"""Fields whose words are names, which a slash makes no path."""
_LINKS = frozenset(("source",))
"""Where a remedy comes from: a paper or a page."""
_EVIDENCE = frozenset(
    """bad_elements batches blocking_ops broken buffer buffers calls cause chance clamped_share code column
    dead_share dead_units driven dropped dtype elasticity elements finding flat_share grad_norm heavy height
    incoming_norm inf largest_elasticity layers light loss loss_before loss_of_nothing loss_of_one_answer
    loss_over_chance loss_slow lr moved moved_at_step moved_first nan near_limit_share outputs pairs parameters
    passed passes ratio sample samples saturated_share scale severed share sigma_before since steps term
    threshold typical_update_ratio units updates values views widest""".split()
)
"""Numbers of a finding that are none of the data: losses, norms, counts, shares and places."""

_NAME = r"[\w.+@~-]+"
_NOT_WITHIN = r"(?<![\w:/\\|.~<)\]-])"  # a word, an address, a quotient
_PATHS = (
    re.compile(r"(?<=['\"])(?:[A-Za-z]:|~|\.{0,2})[\\/][^'\"\n]*[\\/](?=[^'\"]*['\"])"),
    re.compile(rf"{_NOT_WITHIN}(?:(?:[A-Za-z]:)?[\\/](?:{_NAME}[\\/])+|(?:~|\.{{1,2}})[\\/](?:{_NAME}[\\/])*)"),
    re.compile(rf"{_NOT_WITHIN}(?:{_NAME}[\\/])+(?={_NAME}\.\w{{1,12}}\b)"),
)
"""The folders of what is quoted, of what begins as a path does, and of what ends in a file: up to the last slash."""
_GIVEN = re.compile(rf"{_NOT_WITHIN}(?:{_NAME}[\\/])+")
"""The folders of what an error repeats of the command line, which may end in one; in a finding `a/b` is a quotient."""
_PART = re.compile(r"([;:] |\. |\()")
_NUMBER = re.compile(r"(?<![\w.,:`/^-])[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?(?![\w^]|\.\d)")
_NOUNS = (
    "layers?|steps?|elements?|values?|samples?|rows?|weights?|parameters?|units?|updates?|pass(?:es)?|process(?:es)?"
    "|ranks?|calls?|changes?|alarms?|findings?|slopes?|modules?|batch(?:es)?|gradients?|targets?|labels?|outputs?|terms?"
    "|blocks?|activations?|scripts?|columns?|means|losses|merges|NaN|Inf|more|others?|float\\d+|bfloat16|int\\d+|bool"
)
_COUNTED = re.compile(
    rf"\s?%|\s(?:times|decades|sigmas|m?s)\b|\s(?:[\w-]+\s)?(?:{_NOUNS})\b(?!')|\sof\s[\d,]+\s(?:{_NOUNS})\b"
)
"""What stands behind a count, a factor or a share."""
_PLACED = re.compile(
    r"(?:\b(?:steps?|rows?|samples?|ranks?|columns?|lines?|epochs?|batch|item|optimizer|micro-batch|exit|lr|first|other)"
    r"\s(?:\d+(?:, | and ))*|\[(?:\d+, )*|\bof the |\d of )$"
)
"""What stands before a place."""
_OF_THE_DATA = re.compile(
    r"\b(?:inputs?|outputs?|targets?|labels?|class(?:es)?|values|results?|answers|numerator|denominator|base|exponent"
    r"|reach(?:es)?|others'?|columns?|RMS|runs? from|overall|holds?|numbers|logits?)\b|\bits `"
)
_OF_THE_RUN = re.compile(
    r"\b(?:loss(?:es)?|gradients?|norms?|decades|learning rate|lr|updates?|slopes?|logarithm|root|sigmas|learn\w*"
    r"|elasticity|steps?|scale|threshold|trials?|clock|term|run|watching)\b"
)
_RAISED = re.compile(r"(stopped with \w+)\b.*", re.DOTALL)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def redacted(record: _Record) -> _Record:
    """A report, a suite, a run, or any other record, without values of the data and without folders."""
    named = {folder for path in _paths(record) if (folder := _folder(path)).strip("/\\.~")}
    known = "|".join(re.escape(folder) for folder in sorted(named, key=len, reverse=True))
    return _Redacting((re.compile(rf"(?<![\w.-])(?:{known})"), *_PATHS) if known else _PATHS).of(record, "")  # type: ignore[no-any-return]


def redacted_error(error: GradcheckError) -> GradcheckError:
    """An error without values of the data and without folders: in its message, its frames and its hint."""
    plain, told = _Redacting((*_PATHS, _GIVEN)), copy.copy(error)
    told.message = plain.of(error.message, "error")
    told.hint = plain.of(error.hint, "hint")
    told.frames = plain.of(error.frames, "frames")
    return told


def without_folders(text: str) -> str:
    """A text, such as a traceback, with each path cut down to its file."""
    plain: str = _Redacting(_PATHS).of(text, "frames")
    return plain


class _Redacting:
    """Takes out what has to go.

    Args:
        folders: What matches them.
    """

    def __init__(self, folders: Sequence[re.Pattern[str]]) -> None:
        self._folders = folders

    def of(self, value: Any, field: str) -> Any:
        """A value of the field of that name."""
        if isinstance(value, Enum) or (isinstance(value, tuple) and hasattr(value, "_fields")):
            return value
        if isinstance(value, str):
            return self._text(value, field)
        if is_dataclass(value) and not isinstance(value, type):
            return self._record(value)
        if isinstance(value, Mapping):
            kept = (k for k in value if field != "evidence" or k in _EVIDENCE or k.startswith("decades"))
            return {key: self.of(value[key], field if field in _KEPT_AS_THEY_ARE else str(key)) for key in kept}
        if isinstance(value, tuple | list):
            return type(value)(self.of(each, field) for each in value)
        return value

    def _record(self, record: Any) -> Any:
        changed = {f.name: self.of(getattr(record, f.name), f.name) for f in fields(record)}
        if isinstance(record, SourceLine):
            changed["file"] = _base(record.file)
        if "patch" in changed:
            changed["patch"] = ""  # standardises by the mean and the deviation of the data
        return replace(record, **changed)

    def _text(self, text: str, field: str) -> str:
        if field in _KEPT_AS_THEY_ARE or field in _LINKS:
            return text
        if field == "command":
            return _argument(text)
        plain = self._without_folders(text)
        if field == "error":
            return _without_values(_QUOTED.sub(LEFT_OUT, plain.partition("\n")[0].partition("; its last output")[0]))
        return _without_values(plain) if field in _SENTENCES else plain

    def _without_folders(self, text: str) -> str:
        for folders in self._folders:
            text = folders.sub("", text)
        return text


def _without_values(text: str) -> str:
    """A sentence of ours without numbers of the data; names in backticks, and what is known to be none, stay."""
    parts, about_the_run = _PART.split(_RAISED.sub(r"\1", text)), False
    for place in range(0, len(parts), 2):  # between them stands what parts them
        about_the_run = _is_about_the_run(parts[place], about_the_run)
        parts[place] = _clause(parts[place], about_the_run)
    return "".join(parts)


def _is_about_the_run(clause: str, before: bool) -> bool:
    """Whether a clause speaks of the loss, gradients or steps, and of no data; one that names neither goes on."""
    plain = re.sub("`[^`]*`", "`", clause)
    if _OF_THE_DATA.search(plain):
        return False
    return before or _OF_THE_RUN.search(plain) is not None


def _clause(text: str, about_the_run: bool) -> str:
    def kept(found: re.Match[str]) -> str:
        before, after = text[: found.start()], text[found.end() :]
        quoted = before.count("`") % 2 == 1
        known = quoted or about_the_run or _COUNTED.match(after) or _PLACED.search(before)
        return found[0] if known and not before.endswith("class ") else LEFT_OUT

    return _NUMBER.sub(kept, text)


def _paths(value: Any) -> Iterator[str]:
    """The paths that a record names as such: of source lines, of a command, and its own name."""
    if isinstance(value, SourceLine):
        yield value.file
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            found = getattr(value, field.name)
            if field.name in ("command", "name"):
                words = found.split() if isinstance(found, str) else found
                yield from (word.rpartition("=")[2] for word in words)
            yield from _paths(found)
    elif isinstance(value, Mapping):
        yield from (path for each in value.values() for path in _paths(each))
    elif isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        yield from (path for each in value for path in _paths(each))


def _folder(path: str) -> str:
    """The folders of a path with the slash behind them."""
    return path[: max(path.rfind("/"), path.rfind("\\")) + 1]


def _base(path: str) -> str:
    return path[len(_folder(path)) :]


def _argument(text: str) -> str:
    """An argument of a command; of a folder its own name."""
    name, equals, value = text.rpartition("=")
    return f"{name}{equals}{_base(value.rstrip('/')) or value}" if "://" not in text else text
