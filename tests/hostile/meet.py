"""Run hostile names, streams and values: `python -m tests.hostile.meet [PART OF A NAME ...]`; 1 if one fails."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.hostile.listed import LISTED
from tests.hostile.naming import Case, faults, run, tail
from tests.hostile.unseen import UNSEEN

ALL: dict[str, Case] = {case.name: case for case in (*LISTED, *UNSEEN)}


def main(parts: list[str]) -> int:
    wanted = [case for name, case in ALL.items() if not parts or any(part in name for part in parts)]
    good = 0
    for case in wanted:
        with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
            ended = run(case, Path(folder))
            wrong = list(faults(case, ended, Path(folder)))
        good += not wrong
        if wrong:
            print(f"FAILED {case.name!r}: {'; '.join(wrong)}\n    {tail(ended)}", flush=True)
    print(f"{good} of {len(wanted)} as expected")
    return int(good != len(wanted))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
