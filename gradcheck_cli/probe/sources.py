"""Turn places in code objects into lines of source, each looked up once."""

from __future__ import annotations

import linecache
from itertools import islice
from pathlib import Path
from types import CodeType

from gradcheck_cli.probe.tracer import Place
from gradcheck_cli.records.source import SourceLine


class SourceTable:
    """Source lines by index; files are shown relative to `root` where they lie below it."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)
        self._indexes: dict[Place, int] = {}
        self._lines: dict[SourceLine, int] = {}
        self._known: dict[tuple[str, int], SourceLine] = {}
        self._names: dict[str, str] = {}

    def index(self, place: Place | None) -> int:
        """The index of the line at `place`; -1 for no place."""
        if place is None:
            return -1
        found = self._indexes.get(place)
        if found is None:
            found = self._indexes[place] = self._indexed(self._resolve(place))
        return found

    def built(self, file: str, number: int) -> int:
        """The index of a line that built a module."""
        return self._indexed(self._line(file, number))

    def at(self, file: str, number: int) -> SourceLine:
        """A line by its file and number."""
        return self._line(file, number)

    def line(self, place: Place | None) -> SourceLine | None:
        """The line at `place`."""
        return None if place is None else self._resolve(place)

    def lines(self) -> tuple[SourceLine, ...]:
        """All lines by their index."""
        return tuple(self._lines)

    def _resolve(self, place: Place) -> SourceLine:
        code, offset = place
        return self._line(code.co_filename, _line_number(code, offset))

    def _line(self, file: str, number: int) -> SourceLine:
        found = self._known.get((file, number))
        if found is None:
            if file not in self._names:
                self._names[file] = self._shown(file)
            found = SourceLine(file=self._names[file], line=number, code=linecache.getline(file, number).strip())
            self._known[file, number] = found
        return found

    def _indexed(self, line: SourceLine) -> int:
        return self._lines.setdefault(line, len(self._lines))

    def _shown(self, filename: str) -> str:
        try:
            return str(Path(filename).resolve().relative_to(self._root.resolve()))
        except (ValueError, OSError):
            return filename


def _line_number(code: CodeType, offset: int) -> int:
    if hasattr(code, "co_positions"):
        position = next(islice(code.co_positions(), offset // 2, None), None)
        return (position and position[0]) or code.co_firstlineno
    lines = [line for start, end, line in code.co_lines() if start <= offset < end and line]
    return lines[0] if lines else code.co_firstlineno
