"""YAML 1.2 as plain data, with the line and column of every key and value; nothing of PyYAML leaks further.

gradcheck.yaml and every `--set KEY=VALUE` are read by this one reader, so that one text has one meaning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_DEEPEST = 32
_NOT_AS_IT_IS = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")
_MOST_VALUES = 100_000
"""Values once every alias is written out, which keeps a few lines of anchors from filling the memory."""

Address = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""
Place = tuple[int, int]
"""A line and a column, from 1."""


class NotYaml(ValueError):
    """A text is no such document; the message says why, `hint` what to do, and `place` where."""

    def __init__(self, message: str, place: Place, hint: str = "") -> None:
        super().__init__(message)
        self.place, self.hint = place, hint


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """A text as plain data, and where its parts stand; `values` is empty where the text holds nothing."""

    data: Any
    values: Mapping[Address, Place]
    keys: Mapping[Address, Place]


def parse(text: str) -> Parsed:
    """Read one document of YAML 1.2's core schema, in which `1e-7` is a number and `no` is text.

    Raises:
        NotYaml: It is not such a document.
    """
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        _fail(error.problem_mark or error.context_mark, *_plain(error))
    except yaml.reader.ReaderError as error:
        raise NotYaml(
            "a control character, which YAML does not allow", line_and_column(text[: error.position])
        ) from error
    except (ValueError, OverflowError) as error:  # an escape such as \UFFFFFFFF, which PyYAML hands to chr()
        _fail(loader.get_mark() if loader else None, f"not valid YAML ({error})")
    return Parsed(data=None, values={}, keys={}) if node is None else _Unfolding().parsed(node)


def json_in_yaml(value: Any) -> str:
    """A value as JSON that `parse` reads as the same value: YAML breaks lines, or refuses, where JSON does neither."""
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_AS_IT_IS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def line_and_column(before: str) -> Place:
    """The place after this text."""
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _fail(mark: Any, message: str, hint: str = "") -> NoReturn:
    raise NotYaml(message, (mark.line + 1, mark.column + 1) if mark else (1, 1), hint)


def _plain(error: yaml.MarkedYAMLError) -> tuple[str, str]:
    """A message and a hint for what PyYAML found."""
    problem = error.problem or ""
    if "'\\t'" in problem:
        return "a tab", "YAML indents with spaces."
    if "expected a single document" in (error.context or ""):
        return "a second document starts here", "Keep one, and name other files under `include`."
    if problem.startswith("nested"):
        return problem, ""
    context = f" ({error.context})" if error.context else ""
    return f"not valid YAML: {problem}{context}", "Quote text that holds `:`, `#`, `*`, `&`, `[` or `{`."


class _Loader(yaml.SafeLoader):
    """PyYAML's composer with the scalars of YAML 1.2, and an end to nesting."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - PyYAML's own way
    depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self.depth += 1
        if self.depth > _DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=f"nested more than {_DEEPEST} deep", problem_mark=mark)
        node: Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


_TAG = "tag:yaml.org,2002:"
# https://yaml.org/spec/1.2.2/#103-core-schema, without infinity and not-a-number, which no option takes.
for _name, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first)


class _Unfolding:
    """Turns nodes into data, writing out aliases, and notes where everything stands."""

    def __init__(self) -> None:
        self.count = 0
        self.values: dict[Address, Place] = {}
        self.keys: dict[Address, Place] = {}

    def parsed(self, node: Node) -> Parsed:
        """The document that starts at a node."""
        data = self._data(node, ())
        return Parsed(data=data, values=self.values, keys=self.keys)

    def _data(self, node: Node, address: Address) -> Any:
        self._tally(node, len(address))
        self.values[address] = (node.start_mark.line + 1, node.start_mark.column + 1)
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if node.tag not in (f"{_TAG}map", f"{_TAG}seq"):
            self._no_tag(node)
        if isinstance(node, SequenceNode):
            return [self._data(item, (*address, index)) for index, item in enumerate(node.value)]
        return {name: self._entry(key, value, (*address, name)) for name, key, value in self._pairs(node, len(address))}

    def _entry(self, key: ScalarNode, value: Node, address: Address) -> Any:
        self.keys[address] = (key.start_mark.line + 1, key.start_mark.column + 1)
        return self._data(value, address)

    def _tally(self, node: Node, depth: int) -> None:
        self.count += 1
        if depth > _DEEPEST:
            _fail(node.start_mark, f"nested more than {_DEEPEST} deep, or an anchor that holds itself")
        if self.count > _MOST_VALUES:
            _fail(node.start_mark, f"more than {_MOST_VALUES} values once the aliases are written out")

    def _pairs(self, node: Node, depth: int) -> Iterator[tuple[str, ScalarNode, Node]]:
        """The entries of a mapping: its own, and those merged in with `<<` that it does not have itself."""
        own: dict[str, tuple[ScalarNode, Node]] = {}
        merged: dict[str, tuple[ScalarNode, Node]] = {}
        for key, value in node.value:
            name = self._key(key)
            if name in own:
                first = own[name][0].start_mark
                _fail(key.start_mark, f"`{name}` stands twice; first in line {first.line + 1}")
            own[name] = key, value
            if key.tag == f"{_TAG}merge":
                for source in value.value if isinstance(value, SequenceNode) else [value]:
                    merged = self._merged(source, depth + 1) | merged
        for name, (key, value) in (merged | own).items():
            if key.tag != f"{_TAG}merge":
                yield name, key, value

    def _merged(self, node: Node, depth: int) -> dict[str, tuple[ScalarNode, Node]]:
        self._tally(node, depth)
        if not isinstance(node, MappingNode):
            _fail(node.start_mark, "`<<` takes a mapping", "Write `<<: *anchor`.")
        return {name: (key, value) for name, key, value in self._pairs(node, depth)}

    def _key(self, key: Node) -> str:
        if not isinstance(key, ScalarNode) or key.tag not in (f"{_TAG}str", f"{_TAG}merge"):
            _fail(key.start_mark, "a key must be text", "Put it in quotes.")
        return str(key.value)

    def _scalar(self, node: ScalarNode) -> Any:
        kind, text = node.tag.removeprefix(_TAG), node.value
        read = _SCALARS.get(kind)
        if read is None or not node.tag.startswith(_TAG):
            self._no_tag(node)
        if "\0" in text or (not text.isascii() and _has_half_characters(text)):
            _fail(node.start_mark, "an escape that stands for no character")
        try:
            value = read(text)
        except (ValueError, OverflowError):  # `!!int x`, or more digits than Python reads
            _fail(node.start_mark, f"`{text[:40]}` cannot be read as {kind}", "Put text in quotes.")
        if isinstance(value, float) and value in (float("inf"), float("-inf")):
            _fail(node.start_mark, f"`{text[:40]}` is too large a number")
        return value

    def _no_tag(self, node: Node) -> NoReturn:
        tag = node.tag.replace(_TAG, "!!")
        _fail(node.start_mark, f"the tag `{tag}` has no meaning here", "Leave it out.")


def _has_half_characters(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text} is neither true nor false")
    return text.lower() == "true"


def _int(text: str) -> int:
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


_SCALARS: dict[str, Callable[[str], Any]] = {
    "null": lambda text: None,
    "bool": _bool,
    "int": _int,
    "float": float,
    "str": str,
}
