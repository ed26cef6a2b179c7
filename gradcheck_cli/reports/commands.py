"""What a CI runner takes for a command, when it reads a log: no name of a user's may make one.

GitHub Actions runs a line that begins with `::`, also after blanks, and `##[` anywhere in a line (ActionCommand.cs of
actions/runner); Azure Pipelines runs `##vso[` and `##[` (Command.cs of azure-pipelines-agent), TeamCity `##teamcity[`.
One character of these is written as a reference that shows the same, where the format has such, and else as a dot,
which keeps the width of a line.
"""

from __future__ import annotations

import re

_LINE = re.compile(r"^(\s*):(?=:)", re.MULTILINE)
_ANYWHERE = re.compile(r"#(?=#(?:\[|vso\[|teamcity\[))")
Escapes = tuple[str, str]
"""What is written for a colon, and for a sharp."""
DOTS: Escapes = (".", ".")
JSON: Escapes = (":", r"\u0023")
"""A document of JSON has no line that begins with a colon."""
MARKUP: Escapes = ("&#58;", "&#35;")
COMMANDS: Escapes = (":", ".")
"""Of lines that are commands of ours."""


def harmless(text: str, escapes: Escapes = DOTS) -> str:
    """A document, or a message, in which no runner finds a command; with `COMMANDS`, none but those of ours."""
    colon, sharp = escapes
    return _LINE.sub(lambda found: found[1] + colon, _ANYWHERE.sub(lambda found: sharp, text))
