"""What is known of how the model will be trained."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck_cli.records.choices import Optimizer
from gradcheck_cli.records.firstupdates import Stepped


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """The optimiser's first step, and how gradient norms vary.

    `lr` is None where it was not given; `norms` holds the L2 norm of the whole gradient, one for each batch; `stepped`
    is None where no update was simulated.
    """

    lr: float | None = None
    optimizer: Optimizer = Optimizer.SGD
    norms: tuple[float, ...] = ()
    stepped: Stepped | None = None
