"""A trial's edits as a module of their own: what was measured, to be used as it is."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

from gradcheck_cli.trials import edits
from gradcheck_cli.trials.planning import Plan

_IMPORTS = {
    "functools": "import functools",
    "math": "import math",
    "Counter": "from collections import Counter",
    "Callable": "from collections.abc import Callable",
    "Any": "from typing import Any",
    "torch": "import torch",
    "F": "import torch.nn.functional as F",
    "Tensor": "from torch import Tensor",
    "nn": "from torch import nn",
    "TorchFunctionMode": "from torch.overrides import TorchFunctionMode",
}
"""What `edits` imports, in its order, by the name that it gives."""


def patch_source(plan: Plan, title: str, model: str) -> str:
    """Python source with `apply(model)`, and `prepare(batch)` where the targets change; it needs torch only."""
    functions = {edit.function.__name__ for edit in plan.edits} | (
        {"standardise_targets"} if plan.targets is not None else set()
    )
    parts = [*_sources(functions), _apply(plan)]
    if plan.targets is not None:
        parts.append(f"def prepare(batch):\n    return standardise_targets(batch, {plan.targets!r})")
    body = "\n\n\n".join(parts)
    imports = [line for name, line in _IMPORTS.items() if re.search(rf"\b{name}\b", body)]
    usage = "apply(model)" + ("; batch = prepare(batch)" if plan.targets is not None else "")
    doc = f'"""{_safe(title)}, for {_safe(model)}: what gradcheck tried.\n\n    {usage}\n"""'
    standard = [line for line in imports if "torch" not in line]
    third = [line for line in imports if "torch" in line]
    groups = (["from __future__ import annotations"], standard, third)
    head = "\n\n".join("\n".join(group) for group in groups if group)
    return f"{doc}\n\n{head}\n\n{body.lstrip()}\n"


def _safe(text: str) -> str:
    """Text that cannot end a docstring."""
    return ascii(text)[1:-1].replace('"', "'")


def _sources(names: Iterable[str]) -> list[str]:
    """The definitions of `names` and of all that they use, in the order of the module."""
    defined = {
        name: re.sub(r"  # type: ignore.*", "", inspect.getsource(value)).rstrip()
        for name, value in vars(edits).items()
        if getattr(value, "__module__", "") == edits.__name__ and (inspect.isclass(value) or inspect.isfunction(value))
    }
    defined["Place"] = 'Place = tuple[str, str, "int | None"]'
    needed, waiting = set[str](), list(names)
    while waiting:
        name = waiting.pop()
        needed.add(name)
        waiting += [other for other in defined if other not in needed and re.search(rf"\b{other}\b", defined[name])]
    order = sorted(needed, key=lambda name: -1 if name == "Place" else list(defined).index(name))
    return [defined[name] for name in order]


def _apply(plan: Plan) -> str:
    lines = ["def apply(model):"]
    for edit in plan.edits:
        lines.append(f"    {edit.function.__name__}(")
        lines.append("        model,")
        lines += [f"        {name}={_literal(value)}," for name, value in edit.arguments.items()]
        lines.append("    )")
    return "\n".join([*lines, "    return model"])


def _literal(value: object) -> str:
    if isinstance(value, (dict, set, tuple)) and len(value) > 1:
        opening, closing = ("(", ")") if isinstance(value, tuple) else ("{", "}")
        if isinstance(value, dict):
            items = [f"{key!r}: {item!r}" for key, item in value.items()]
        else:
            items = sorted(map(repr, value)) if isinstance(value, set) else list(map(repr, value))
        return opening + "".join(f"\n            {item}," for item in items) + f"\n        {closing}"
    return repr(value)
