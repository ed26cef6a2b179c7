"""Files that gradcheck must refuse: mutants of a good one, the same for the same seed."""

from __future__ import annotations

import random
import re
from pathlib import Path

from gradcheck_cli.config import load_config
from gradcheck_cli.errors import ConfigError

GOOD = """\
version: 1
fail_on: error
select: [GC1, vanishing-depth]
ignore:
  GC401: {layers: ["encoder.pos*", head], reason: "a fixed table"}
  GC6: []
thresholds:
  GC206: {saturated_share: 0.99}
defaults: &usual
  lr: 1e-7
  seed: 3
  set: {width: 8, act: "relu"}
  optimizer: adam
checks:
  - model: nets/a.py:Net
    name: first
    input: ["float32[8,3]", "ids=int64[4] in 0..9"]
    matrix: {seed: [0, 1], set: {depth: [4, 8]}}
    timeout: 2.5
    expect: GC201
  - {<<: *usual, model: b.py, trust_pickle: false, mode: eval}
run:
  - {script: train.py, args: "--lr 1e-3 --name 'a b'", steps: 20, expect: [nonfinite, GC104], timeout: 60}
  - script: nets/train.py
    name: second
    args: [--epochs, "3"]
    ignore: {GC631: {reason: "a warm restart"}}
"""
PLACE = re.compile(r"gradcheck\.yaml:[1-9]\d*:[1-9]\d*: \S")
_BITS = (
    *"\t\0\x07:-#*&![]{}'\"|>%@`,?~\n ",
    *"\x85 \u2028 \ufeff \ud800 é 1e999 .inf 0x1F 0o8 - : << *a &a !!python/object:os.system !!binary".split(" "),
    *'null true yes 2024-01-01 1:30 --- ... [[[[ {{{{ \\x "\\UFFFFFFFF" 99999999999999999999 -1 GC9 modle'.split(),
)


def mutant(seed: int) -> bytes:
    """The good file with one to four changes: bits put in, spans cut out, lines swapped or doubled, bytes broken."""
    rng = random.Random(seed)
    text = GOOD
    for _ in range(rng.randint(1, 4)):
        text = rng.choice((_insert, _cut, _swap, _retype, _typo))(text, rng)
    content = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.05:
        at = rng.randrange(len(content) + 1)
        content = content[:at] + bytes([rng.randrange(128, 256)]) + content[at:]
    return content


def _insert(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(_BITS) + text[at:]


def _cut(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + text[at + rng.randint(1, 12) :]


def _swap(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
    if rng.random() < 0.5:
        del lines[rng.randrange(len(lines))]
    return "\n".join(lines)


def _retype(text: str, rng: random.Random) -> str:
    """Give one key another value."""
    spots = list(re.finditer(r"(\w+): ([^,{}\[\]\n]+)", text))
    if not spots:
        return text
    spot = rng.choice(spots)
    return text[: spot.start(2)] + rng.choice(_BITS) + text[spot.end(2) :]


def _typo(text: str, rng: random.Random) -> str:
    spots = list(re.finditer(r"\w+", text))
    if not spots:
        return text
    spot = rng.choice(spots)
    return text[: spot.start()] + spot.group()[::-1] + text[spot.end() :]


def told(folder: Path, content: bytes) -> str | None:
    """What is said about a file with that content; None if it is accepted."""
    file = folder / "gradcheck.yaml"
    file.write_bytes(content)
    try:
        load_config(file, {})
    except ConfigError as error:
        assert error.exit_code == 2
        return error.message
    return None
