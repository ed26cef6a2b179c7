"""Measure a model and hold the result against plain `loss.backward()` and against the ledger's identity."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gradcheck_cli.evidence import gather
from gradcheck_cli.probe import measure
from gradcheck_cli.records.account import Ledger
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.target import wrap_target

Step = Callable[[nn.Module, Any], Tensor]
Built = tuple[nn.Module, Any, Step]
Build = Callable[[], Built]

IDENTITY = 1e-3
"""Decades by which the sum of the factors may differ from the measured norm."""
RELATIVE = 1e-5


def made(build: Build) -> Built:
    """The model from a fixed seed."""
    torch.manual_seed(0)
    return build()


def probed(model: nn.Module, batch: Any, step: Step, seed: int = 0) -> Measurement:
    """One measurement of a model in memory."""
    target = wrap_target(model, batch, step=step)
    return measure(target, target.batches[0], seed=seed)


def plain_norms(model: nn.Module, batch: Any, step: Step, seed: int = 0) -> dict[str, float | None]:
    """Gradient norms in float64 by the first name of each parameter; the gradients stay on the model."""
    model.zero_grad(set_to_none=True)
    torch.manual_seed(seed)
    step(model, batch).backward()
    return {name: None if p.grad is None else plain_norm(p.grad) for name, p in model.named_parameters()}


def plain_norm(gradient: Tensor) -> float:
    """The norm in float64, where the square of every float32 has room."""
    dense = gradient.to_dense() if gradient.is_sparse else gradient
    wide = torch.complex128 if dense.is_complex() else torch.float64
    return float(torch.linalg.vector_norm(dense.detach().to(wide)))


def probed_norms(measurement: Measurement) -> dict[str, float | None]:
    """Gradient norms by the first name of each parameter."""
    return {p.names[0]: p.grad_norm for p in measurement.parameters}


def mismatches(found: dict[str, float | None], expected: dict[str, float | None]) -> dict[str, tuple[Any, Any]]:
    """The parameters whose norms differ by more than `RELATIVE`."""
    assert found.keys() == expected.keys()
    return {name: (found[name], norm) for name, norm in expected.items() if not _agree(found[name], norm)}


def _agree(found: float | None, expected: float | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return found == expected or math.isclose(found, expected, rel_tol=RELATIVE)


def unbalanced(measurement: Measurement, ledger: Ledger) -> dict[str, float]:
    """Parameters with a finite non-zero gradient whose account is missing (inf) or off, in decades."""
    accounts = {a.parameter: a for a in ledger.accounts}
    errors = {}
    for index, parameter in enumerate(measurement.parameters):
        norm = parameter.grad_norm
        if not norm or not math.isfinite(norm):
            continue
        account = accounts.get(index)
        decades = sum(account.by_kind.values()) if account else math.inf
        error = abs(decades - math.log10(norm))
        if error > IDENTITY:
            errors[parameter.names[0]] = error
    return errors


def assert_as_plain(build: Build, seed: int = 0) -> Measurement:
    """The probe measures what plain backward gives, and the ledger accounts for all of it."""
    built = made(build)
    measurement = probed(*built, seed=seed)
    assert mismatches(probed_norms(measurement), plain_norms(*built, seed=seed)) == {}
    assert unbalanced(measurement, gather(measurement).paths.ledger) == {}
    return measurement
