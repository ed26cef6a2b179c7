"""What looks like a key, kept out of reports: these are pasted into issues."""

from __future__ import annotations

import re
from collections.abc import Sequence

MASK = "***"
_SECRET = re.compile(r"(^|[-_.])(api[-_]?key|access[-_]?key|secret|token|passw(or)?d|credentials?|auth)($|[-_.])", re.I)
"""Names of options and variables whose values are keys; `--max-tokens` is none."""
_KEYS = re.compile(
    r"\b(sk-[\w-]{16,}|hf_\w{16,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}"
    r"|AKIA[0-9A-Z]{12,}|AIza[\w-]{30,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+|[0-9a-f]{40})\b"
)
"""The forms that services give their keys: OpenAI, Hugging Face, GitHub, GitLab, Slack, AWS, Google, a JSON web token;
40 hexadecimal digits are a key of Weights & Biases."""
_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s:]+:[^/@\s]+(?=@)")
"""A user's name and password in an address."""


def masked(arguments: Sequence[str]) -> tuple[str, ...]:
    """The arguments of a command, with `***` in the place of values that look like keys."""
    found, is_value = [], False
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if is_value and not argument.startswith("-"):
            found.append(MASK)
        elif equals and value and _SECRET.search(name.lstrip("-")):
            found.append(f"{name}={MASK}")
        else:
            found.append(_IN_ADDRESS.sub(MASK, _KEYS.sub(MASK, argument)))
        is_value = not equals and argument.startswith("-") and bool(_SECRET.search(argument.lstrip("-")))
    return tuple(found)
