"""Twins of ill models that look like them and learn: what a rule fires on is mended, and all else is as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tests.corpus import ill_first_steps as steps
from tests.corpus import ill_losses as losses
from tests.corpus import ill_signals as signals
from tests.corpus import ill_wiring as wiring
from tests.corpus.case import REGISTRY, Build, Built, Proof, healthy
from tests.corpus.trained import trains


def _mended(
    build: Build, tricky: str, *, proof: Proof | None = None, options: Mapping[str, Any] | None = None, **twin: Any
) -> None:
    """Register the twin of an ill model as `NAME_mended`."""

    def made() -> Built:
        return build(**twin)

    made.__name__, made.__doc__ = f"{build.__name__}_mended", f"{build.__doc__} Mended: {tricky}."
    healthy(field=REGISTRY[build.__name__].field, tricky=tricky, proof=proof, **(options or {}))(made)


_mended(losses.predictions_in_a_column, "targets in a column too", column=True)
_mended(losses.nll_of_raw_scores, "a log_softmax stands before nll_loss", final=nn.LogSoftmax)
_mended(losses.squared_error_of_class_numbers, "labels in a column, for a cross entropy that takes them out", loss=None)
_mended(losses.loss_of_a_detached_output, "nothing is detached", cut=False)
_mended(losses.chi_square_in_metres, "errors in the unit of the values", error=1.0)
_mended(wiring.backward_returns_none, "torch's own clamp is half shut", custom=False)
_mended(
    wiring.lora_with_both_factors_zero, "both factors start small, not at zero", std=0.02, proof=trains(still=("base",))
)
_mended(wiring.encoder_that_is_never_called, "the encoder is called", called=True)
_mended(wiring.thermometers_at_37_degrees, "temperatures around their mean", mean=0.0)
_mended(wiring.state_detached_before_each_step, "the class at the first of its steps", cut=False)
_mended(wiring.weights_all_the_same, "weights as PyTorch draws them", constant=None)
_mended(wiring.view_for_transpose, "transpose moves the elements", moved=True)
_mended(wiring.dropout_that_keeps_a_twentieth, "a twentieth is dropped", p=0.05)
_mended(signals.tfidf_of_an_empty_document, "an empty document is all zeros", least=1.0)
_mended(signals.tanh_on_millivolts, "volts", scale=1.0)
_mended(signals.biases_as_wide_as_the_signal, "twenty tanh layers, biases at zero", std=0.0)
_mended(signals.salary_beside_shares, "every column is standardised", standardised=True)
_mended(signals.chaotic_tanh_stack, "thirty tanh layers, weights that keep the signal's size", gain=1.0)
_mended(steps.float16_with_a_sum, "the same sum in float32", dtype=torch.float32)
_mended(steps.sgd_rate_with_adam, "Adam's own rate", options={"optimizer": "adam", "lr": 1e-3})
_mended(steps.rate_of_a_finetuning, "SGD at a usual rate", options={"lr": 0.1})
_mended(steps.rate_above_the_steepest_column, "a rate below the limit of the steepest column", options={"lr": 0.002})
_mended(
    steps.adam_on_float16_weights, "weights in float32", dtype=torch.float32, options={"optimizer": "adam", "lr": 1e-3}
)
_mended(steps.sgd_on_bfloat16_weights, "bfloat16 at a rate that it takes up", options={"lr": 0.1})
_mended(
    steps.post_norm_without_warmup,
    "a deep post-norm transformer at a small rate",
    options={"optimizer": "adam", "lr": 3e-4, "try_budget": 60},
)
