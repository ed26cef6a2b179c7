"""10,000 malformed gradcheck.yaml: `python -m tests.benchmarks.malformed`; ends with 1 if one is told badly."""

from __future__ import annotations

import itertools
import re
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

from tests.config.malformed import PLACE, mutant, told

WANTED = 10_000


def main() -> int:
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in itertools.count():
            if counts["refused at a line and column"] + counts["refused without a line"] >= WANTED:
                break
            outcome, message = judged(Path(folder), seed)
            counts[outcome] += 1
            if message:
                kinds[re.sub(r"`[^`]*`|\d+", "_", message.split(": ", 1)[-1])[:60]] += 1
    for outcome, count in counts.most_common():
        print(f"{count:6}  {outcome}")
    print("\nmost frequent messages:")
    for kind, count in kinds.most_common(12):
        print(f"{count:6}  {kind}")
    return int(bool(counts["traceback"] or counts["refused without a line"]))


def judged(folder: Path, seed: int) -> tuple[str, str | None]:
    try:
        message = told(folder, mutant(seed))
    except Exception:
        traceback.print_exc(limit=-3)
        print(f"seed {seed}", file=sys.stderr)
        return "traceback", None
    if message is None:
        return "accepted: the change did no harm", None
    return ("refused at a line and column" if PLACE.search(message) else "refused without a line"), message


if __name__ == "__main__":
    sys.exit(main())
