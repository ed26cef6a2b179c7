"""The gradcheck.yaml that `gradcheck init` writes."""

from __future__ import annotations

import json
import re

from gradcheck_cli.config.candidates import Candidate

_HEAD = """\
# The models that gradcheck looks at. `gradcheck schema` prints what may stand here.
version: 1

fail_on: warning            # the least severity that fails: error, warning or never
# select: [GC1, GC2]        # only these; `gradcheck rule` lists the rules
# ignore:                   # not these, and why
#   GC401: {layers: ["encoder.pos*"], reason: "a fixed table of positions"}
# thresholds:               # numbers that a verdict turns on
#   GC403: {dead_share: 0.99}

defaults:                   # options for every check, by the names of `gradcheck check --help`
  seed: 0
  # input: "float32[8,3,32,32]"     # for a file that holds no batch
  # target: "int64[8] in 0..10"
  # matrix: {seed: [0, 1, 2]}       # one check for each

# run:                      # training scripts to run and watch, as `gradcheck run` does
#   - {script: train.py, args: --epochs 1, steps: 20}

"""
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*:\w+", re.ASCII)


def starter(candidates: tuple[Candidate, ...]) -> str:
    """A commented file with a check for every candidate; those that need arguments are commented out."""
    whole = [f"  - model: {_quoted(each.model)}" for each in candidates if not each.needs]
    parts = [line for each in candidates if each.needs for line in _commented(each)]
    if parts:
        parts = ["", "  # These need arguments; fill in and uncomment:", *parts]
    return _HEAD + "\n".join([f"checks:{'' if whole else ' []'}", *whole, *parts]) + "\n"


def _commented(candidate: Candidate) -> list[str]:
    needs = ", ".join(f"{name}: ..." for name in candidate.needs)
    return [f"  # - model: {_quoted(candidate.model)}", f"  #   set: {{{needs}}}"]


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
