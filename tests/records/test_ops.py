"""The vocabulary of ops: whole names, that torch knows, in one kind each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from gradcheck_cli.records import ops
from gradcheck_cli.records.ops import KINDS, is_custom, kind_of, plain_op, stem

HEADER = Path(torch.__file__).parent / "include/torch/csrc/autograd/generated/Functions.h"
SETS = {name: value for name, value in vars(ops).items() if isinstance(value, frozenset) and name.isupper()}
STEMS = {name: words for name, words in SETS.items() if all(word[0].isupper() for word in words)}
NAMES = {name: words for name, words in SETS.items() if name not in STEMS and not name.endswith(("_CALLS", "LEAVING"))}
ONLY_ELSEWHERE = {"CudnnRnn", "CudnnCtcLoss", "MiopenRnn", "MiopenCtcLoss"}
"""Derivatives that torch names, whatever it was built for."""


@pytest.mark.parametrize(
    ("node", "plain"),
    [
        ("ReluBackward0", "relu"),
        ("LeakyReluBackward1", "leaky_relu"),
        ("NllLoss2DBackward0", "nll_loss2d"),
        ("MaxPool2DWithIndicesBackward0", "max_pool2d_with_indices"),
        ("Log1PBackward0", "log1p"),
        ("NativeLayerNormBackward0", "layer_norm"),
        ("_log_softmax", "log_softmax"),
        ("masked_fill_", "masked_fill"),
        ("MyFunctionBackward", "MyFunction"),
    ],
)
def test_plain_op(node: str, plain: str) -> None:
    assert plain_op(node) == plain


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("SigmoidBackward0", "Sigmoid"),
        ("SigmoidBackwardBackward0", "Sigmoid"),
        ("SqueezeBackward2", "Squeeze"),
        ("AccumulateGrad", "AccumulateGrad"),
        ("SigmoidBackward", ""),  # a user's Function of that name
    ],
)
def test_stem(node: str, expected: str) -> None:
    assert stem(node) == expected
    assert is_custom(node) == (expected == "")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SigmoidBackward0", "activation"),
        ("LogSigmoidBackward0", "activation"),
        ("LeakyReluBackward0", "activation"),
        ("SoftplusBackward0", "activation"),
        ("AddmmBackward0", "weight"),
        ("ConvolutionBackward0", "weight"),
        ("EmbeddingBackward0", "weight"),
        ("SoftmaxBackward0", "attention"),
        ("BmmBackward0", "attention"),
        ("LogSoftmaxBackward0", "loss"),
        ("NllLossBackward0", "loss"),
        ("MseLossBackward0", "loss"),
        ("MultiMarginLossBackward0", "loss"),
        ("NativeLayerNormBackward0", "normalization"),
        ("MeanBackward0", "reduction"),
        ("MaxPool2DWithIndicesBackward0", "reduction"),
        ("MkldnnMaxPool2DBackward0", "reduction"),
        ("MulBackward0", "other"),
        ("MinimumBackward0", "other"),
        ("MyFunctionBackward", "other"),
        ("SigmoidBackward", "other"),
    ],
)
def test_kind_of_a_factor(name: str, kind: str) -> None:
    assert kind_of(name) == kind
    assert kind in KINDS


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ("ExpandBackward0", ops.SATURATING),
        ("TanhBackward0", ops.TRANSPOSES),
        ("MultiMarginLossBackward0", ops.SCALINGS),
        ("AddmmBackward0", ops.SCALINGS),
        ("logaddexp", ops.LOGARITHMS),
        ("MaximumBackward0", ops.MEANS_AND_SUMS),
    ],
)
def test_what_only_begins_alike_is_another_op(node: str, words: frozenset[str]) -> None:
    assert stem(node) not in words
    assert plain_op(node) not in words


def derivatives() -> set[str]:
    nodes = re.findall(r"struct TORCH_API (\w+) : public", HEADER.read_text(encoding="utf-8"))
    return {stem(node) for node in nodes}


@pytest.mark.parametrize("name", STEMS)
def test_torch_has_every_stem(name: str) -> None:
    assert STEMS[name] - derivatives() == set()


def test_torch_has_every_stem_that_has_a_kind() -> None:
    assert {each for stems in ops._STEMS_BY_KIND.values() for each in stems} - derivatives() - ONLY_ELSEWHERE == set()


def test_a_stem_has_one_kind() -> None:
    listed = [each for stems in ops._STEMS_BY_KIND.values() for each in stems]
    assert len(listed) == len(set(listed))
    assert set(ops._STEMS_BY_KIND) | {"merge", "other"} == set(KINDS)


@pytest.mark.parametrize("name", NAMES)
def test_torch_has_every_function(name: str) -> None:
    known = {plain_op(op.partition("::")[2].partition(".")[0]) for op in torch._C._dispatch_get_all_op_names()}
    known |= {*dir(torch), *dir(torch.Tensor), *dir(torch.nn.functional)}
    missing = {word for word in NAMES[name] if word not in known and f"{word}_" not in known}
    assert missing == set()


CALLS = {name: words for name, words in SETS.items() if name.endswith("_CALLS")}


@pytest.mark.parametrize("name", CALLS)
def test_torch_has_every_function_that_a_trial_acts_on(name: str) -> None:
    known = {*dir(torch), *dir(torch.Tensor), *dir(torch.nn.functional)}
    assert CALLS[name] - known == set()


def test_a_node_and_what_the_dispatcher_calls_it_have_one_name() -> None:
    called = {plain_op(op.partition("::")[2].partition(".")[0]) for op in torch._C._dispatch_get_all_op_names()}
    joined = {name.replace("_", "") for name in called}
    named = {plain_op(f"{each}Backward0") for each in derivatives()}
    assert {name for name in named - called if name.replace("_", "") in joined} == set()
