"""What to write into gradcheck.yaml so that a finding is left out: `ignore` with its rule and its layers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gradcheck_cli.records.report import Finding, Report

_PLAIN = re.compile(r"(?!(?:null|true|false|yes|no|on|off|y|n)$)[a-z_]\w*(?:\.\w+)*(?:\.\*)?", re.IGNORECASE | re.ASCII)
"""What every reader of YAML takes for text without quotes."""


def waiver_of(finding: Finding, report: Report) -> str:
    """A line of YAML, for gradcheck.yaml or an entry of it, that covers all layers of a finding and no others.

    `WHY` stands for the reason, which only its reader knows. A finding that names no layers is covered with its rule.
    """
    others = {layer.path for layer in report.layers}.difference(finding.layers)
    globs = ", ".join(_quoted(glob) for glob in _globs(finding.layers, others))
    layers = f"layers: [{globs}], " if globs else ""
    return f"ignore: {{{finding.code}: {{{layers}reason: WHY}}}}"


def _globs(layers: Sequence[str], others: Iterable[str]) -> list[str]:
    """`encoder.*` for two layers and more that are all there are below `encoder`; else names as they are."""
    shared = [parent for path in others for parent in _parents(path)]
    globs: dict[str, None] = {}
    for path in layers:
        whole = (p for p in _parents(path) if p not in shared and sum(each.startswith(p) for each in layers) > 1)
        parent = next(whole, None)
        globs[_escaped(path) if parent is None else f"{_escaped(parent)}*"] = None
    return list(globs)


def _parents(path: str) -> list[str]:
    """`a.` and `a.b.` of `a.b.c`."""
    return [path[: dot.end()] for dot in re.finditer(r"\.", path)]


def _escaped(path: str) -> str:
    """A path as a glob that fits nothing else; what YAML has no escape for fits any character."""
    return re.sub("[\0\ud800-\udfff]", "?", re.sub(r"([*?[])", r"[\1]", path))


def _quoted(text: str) -> str:
    """Text in double quotes if it needs them, with YAML's escapes for these, backslashes and what is not printable."""
    if _PLAIN.fullmatch(text):
        return text
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in plain)
    return f'"{"".join(escaped)}"'
