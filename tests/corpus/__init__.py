"""Labelled models: ill and healthy-but-tricky ones, each label proven by plain PyTorch.

`python -m tests.corpus.prove` proves the labels. Importing this package gathers the cases.
"""

import importlib
import pkgutil

from tests.corpus.case import REGISTRY, Case

for _module in pkgutil.iter_modules(__path__):
    if _module.name.startswith(("ill_", "healthy_")):
        importlib.import_module(f"{__name__}.{_module.name}")

CASES: tuple[Case, ...] = tuple(REGISTRY[name] for name in sorted(REGISTRY))

__all__ = ["CASES", "Case"]
