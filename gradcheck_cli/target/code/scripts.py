"""A file that trains by itself, where a model was asked for: `gradcheck run` is for that."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gradcheck_cli.errors import GradcheckError, TargetError, UserCodeError
from gradcheck_cli.target.code.locating import located
from gradcheck_cli.target.code.references import Reference, parse_model


@contextmanager
def advised(model: str) -> Iterator[None]:
    """Where what MODEL names cannot be loaded and is a script that trains, the error's hint says so."""
    try:
        yield
    except (TargetError, UserCodeError) as error:
        error.hint = f"{error.hint} {as_a_script(model)}".strip()
        raise


def as_a_script(model: str) -> str:
    """What to type if MODEL names a script that trains; "" if it does not."""
    try:
        reference = parse_model(model)
    except GradcheckError:
        return ""
    if reference.name or not trains(reference):
        return ""
    return f"It is a script that trains: `gradcheck run {reference.location}` watches it as it is."


class Steps:
    """Updates that optimisers make while it is watched: an import that makes some has trained the model."""

    def __init__(self) -> None:
        self.taken = 0

    def __enter__(self) -> Steps:
        from torch.optim.optimizer import register_optimizer_step_post_hook

        self._hook = register_optimizer_step_post_hook(self._count)
        return self

    def __exit__(self, *raised: object) -> None:
        self._hook.remove()

    def _count(self, *step: object) -> None:
        self.taken += 1

    def told(self, reference: Reference) -> str:
        """What to know of a model that comes from there; empty if none was made."""
        if not self.taken:
            return ""
        command = f"-m {reference.location}" if not reference.is_file else reference.location
        return f", trained for {self.taken} steps when it was imported; `gradcheck run {command}` watches that"


def trains(reference: Reference) -> bool:
    """Whether a file calls backward, or fits a trainer, somewhere in it."""
    if not reference.is_file:
        return False
    with suppress(OSError, SyntaxError, ValueError, RecursionError):
        tree = ast.parse(located(reference.location).read_bytes())
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        methods = {call.attr for call in calls if isinstance(call, ast.Attribute)}
        named = methods | {call.id for call in calls if isinstance(call, ast.Name)}
        trainer = any(name.endswith("Trainer") for name in named)
        return "backward" in methods or (trainer and not methods.isdisjoint(("fit", "train")))
    return False
