"""Prove the labels: `python -m tests.corpus.prove [NAME...]`, where a NAME may end in `*`."""

import sys
import time
from fnmatch import fnmatch

import torch

from tests.corpus import CASES
from tests.corpus.case import Case, NotProven


def prove(case: Case) -> tuple[bool, str]:
    """Whether plain PyTorch bears the label out, and the evidence."""
    if isinstance(case.proof, str):
        return True, f"closed form: {case.proof}"
    try:
        return True, case.proof(case)
    except NotProven as failure:
        return False, str(failure)
    except Exception as failure:
        return False, f"{type(failure).__name__}: {failure}"


def main(patterns: list[str]) -> int:
    torch.set_num_threads(1)
    cases = [case for case in CASES if not patterns or any(fnmatch(case.name, p) for p in patterns)]
    failed = 0
    for case in cases:
        began = time.perf_counter()
        proven, evidence = prove(case)
        failed += not proven
        label = f"{case.status} {case.family or ''}".strip()
        seconds = time.perf_counter() - began
        print(f"{'ok ' if proven else 'NOT'} {case.name} [{label}] {evidence} ({seconds:.1f} s)", flush=True)
    print(f"{len(cases) - failed} of {len(cases)} labels proven")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
