"""The loss that is guessed from the shapes and values of output and target."""

import math
from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from gradcheck_cli.errors import TargetError
from gradcheck_cli.target import check_loss
from gradcheck_cli.target.loss.guess import described, guess_loss

LABELS = torch.tensor([0, 2, 1, 1])


def logits(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).requires_grad_()


@pytest.mark.parametrize(
    ("output", "target", "name", "expected"),
    [
        (logits(4, 3), LABELS, "cross_entropy", lambda o, t: F.cross_entropy(o, t)),
        (logits(4, 3), LABELS[:, None], "cross_entropy", lambda o, t: F.cross_entropy(o, t[:, 0])),
        (logits(2, 3, 2), LABELS.view(2, 2), "cross_entropy", lambda o, t: F.cross_entropy(o, t)),
        (
            logits(2, 2, 3),
            LABELS.view(2, 2),
            "cross_entropy over dimension 2",
            lambda o, t: F.cross_entropy(o.transpose(1, 2), t),
        ),
        (
            logits(1, 3, 4, 5),
            torch.ones(1, 4, 5, dtype=torch.long),
            "cross_entropy",
            lambda o, t: F.cross_entropy(o, t),
        ),
        (
            logits(2, 3, 3),
            torch.ones(2, 3, dtype=torch.long),
            "cross_entropy over dimension 2",
            lambda o, t: F.cross_entropy(o.transpose(1, 2), t),
        ),
        (
            logits(4, 3).log_softmax(1),
            LABELS,
            "nll_loss (the output is log-probabilities)",
            lambda o, t: F.nll_loss(o, t),
        ),
        (
            logits(4, 3).softmax(1),
            LABELS,
            "nll_loss of the output's log (it is probabilities)",
            lambda o, t: F.nll_loss(o.log(), t),
        ),
        (logits(4, 3), torch.full((4, 3), 0.3), "mse_loss", F.mse_loss),
        (logits(4, 1), torch.full((4,), 0.3), "mse_loss", lambda o, t: F.mse_loss(o[:, 0], t)),
        (logits(4), torch.full((4, 1), 0.3), "mse_loss", lambda o, t: F.mse_loss(o[:, None], t)),
        (logits(4, 1), torch.tensor([3, 8, 2, 5]), "mse_loss", lambda o, t: F.mse_loss(o[:, 0], t.float())),
        (
            logits(4, 1),
            torch.tensor([0, 1, 1, 0]),
            "binary_cross_entropy_with_logits",
            lambda o, t: F.binary_cross_entropy_with_logits(o[:, 0], t.float()),
        ),
        (
            logits(4, 2),
            torch.eye(4)[:, :2].double(),
            "binary_cross_entropy_with_logits",
            lambda o, t: F.binary_cross_entropy_with_logits(o, t.float()),
        ),
        (
            logits(4, 1).sigmoid(),
            torch.ones(4),
            "binary_cross_entropy",
            lambda o, t: F.binary_cross_entropy(o[:, 0], t),
        ),
        (logits(4, 2), torch.ones(4, 2, dtype=torch.bool), "binary_cross_entropy_with_logits", None),
        (
            torch.zeros(4, 2, requires_grad=True) * 1,
            torch.ones(4, 2),
            "binary_cross_entropy_with_logits",
            lambda o, t: F.binary_cross_entropy_with_logits(o, t),
        ),
        (logits(4, 2), None, "mean of output squared (there is no target)", lambda o, t: o.pow(2).mean()),
        (
            {"aux": None, "logits": logits(4, 3)},
            LABELS,
            "cross_entropy",
            lambda o, t: F.cross_entropy(o["logits"], t),
        ),
        ((logits(4, 3), logits(9)), LABELS, "cross_entropy", lambda o, t: F.cross_entropy(o[0], t)),
        (torch.view_as_complex(logits(4, 2)), None, "mean of output squared (there is no target)", None),
        (torch.view_as_complex(logits(4, 2)), torch.ones(4), "mean squared distance", None),
    ],
)
def test_the_loss_is_guessed_from_shapes_and_values(output, target, name, expected):
    loss, guessed = guess_loss(output, target)
    assert guessed == name
    assert check_loss(loss).requires_grad
    if expected is not None:
        torch.testing.assert_close(loss, expected(output, target))


@pytest.mark.parametrize(
    ("output", "target", "text"),
    [
        (
            logits(4, 3),
            torch.ones(4, 2),
            r"output float32\[4, 3\] and target float32\[4, 2\]: their shapes fit",
        ),
        (logits(4, 3), {"boxes": LABELS}, "the target is a dict"),
        ("text", LABELS, "the output is a str"),
    ],
)
def test_a_loss_that_cannot_be_guessed_is_asked_for(output, target, text):
    with pytest.raises(TargetError, match=text) as error:
        guess_loss(output, target)
    assert "--loss" in error.value.hint


@settings(max_examples=60, deadline=None)
@given(
    classes=st.integers(2, 5),
    space=st.lists(st.integers(1, 4), max_size=3).map(tuple),
    rows=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_one_class_score_for_each_label_is_a_cross_entropy_whatever_the_layout(classes, space, rows, seed):
    generator = torch.Generator().manual_seed(seed)
    out = torch.randn(rows, *space, classes, generator=generator) * 3 + 7
    labels = torch.randint(0, classes, (rows, *space), generator=generator)
    expected = F.cross_entropy(out.flatten(0, -2), labels.flatten())
    for laid_out in (out, out.movedim(-1, 1)):
        loss, name = guess_loss(laid_out, labels)
        if laid_out.shape[:-1] == labels.shape and laid_out.shape[:1] + laid_out.shape[2:] == labels.shape:
            continue  # both layouts fit, so that either may be meant
        assert name.startswith("cross_entropy")
        torch.testing.assert_close(loss, expected)


def test_both_layouts_fit_a_square_where_classes_are_last_in_a_sequence_and_first_in_an_image():
    sequence, image = torch.randn(2, 3, 3), torch.randn(2, 3, 3, 3)
    assert guess_loss(sequence, torch.zeros(2, 3, dtype=torch.long))[1] == "cross_entropy over dimension 2"
    assert guess_loss(image, torch.zeros(2, 3, 3, dtype=torch.long))[1] == "cross_entropy"


@pytest.mark.parametrize(
    ("out", "name"),
    [
        (torch.zeros(4, 2), "binary_cross_entropy_with_logits"),
        (torch.full((40, 2), 0.5), "binary_cross_entropy"),
        (torch.full((4, 2), 0.5), "binary_cross_entropy_with_logits"),
        (torch.full((40, 2), 1.5), "binary_cross_entropy_with_logits"),
        (torch.zeros(40, 2), "binary_cross_entropy_with_logits"),
        (torch.zeros(4, 2, requires_grad=True).sigmoid(), "binary_cross_entropy"),
        (torch.zeros(2, 4, requires_grad=True).sigmoid().t(), "binary_cross_entropy"),
        (torch.zeros(8, requires_grad=True).sigmoid().view(4, 2)[:], "binary_cross_entropy"),
        (torch.zeros(4, 2, requires_grad=True).softmax(1), "binary_cross_entropy"),
        (torch.zeros(4, 2, requires_grad=True).sigmoid() * 1, "binary_cross_entropy_with_logits"),
    ],
)
def test_values_between_0_and_1_are_probabilities_by_the_op_or_by_their_number(out, name):
    target = torch.ones(out.shape)
    loss, guessed = guess_loss(out, target)
    assert guessed == name
    torch.testing.assert_close(loss, getattr(F, name)(out, target))


def test_the_log_of_a_uniform_distribution_costs_the_log_of_the_classes():
    uniform = torch.full((4, 3), 1 / 3)
    for out in (uniform, uniform.log(), torch.zeros(4, 3)):
        assert float(guess_loss(out, LABELS)[0]) == pytest.approx(math.log(3), rel=1e-5)


def test_rounding_in_a_low_precision_is_still_a_distribution():
    out = torch.randn(4, 3).softmax(1).to(torch.bfloat16)
    assert guess_loss(out, LABELS)[1] == "nll_loss of the output's log (it is probabilities)"
    assert guess_loss(out * 1.1, LABELS)[1] == "cross_entropy"


def test_a_complex_distance_is_squared_and_averaged():
    out, target = torch.tensor([3 + 4j, 0j]), torch.tensor([0j, 1j])
    loss, name = guess_loss(out, target)
    assert (name, float(loss)) == ("mean squared distance", 13.0)


def test_without_a_target_an_output_is_squared_and_averaged():
    assert float(guess_loss(torch.tensor([1.0, -3.0]), None)[0]) == 5.0


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.ones(2, 3), "float32[2, 3]"),
        (torch.ones((), dtype=torch.int64), "int64[]"),
        ((torch.ones(1), None), "(float32[1], NoneType)"),
        ([torch.ones(1)] * 5, "list"),
        ({"a": torch.ones(1), "b": ["x"]}, "dict(a: float32[1], b: (str))"),
        (OrderedDict(a=1), "OrderedDict(a: int)"),
        (dict.fromkeys("abcde"), "dict"),
        ("text", "str"),
        (None, "NoneType"),
    ],
)
def test_a_value_is_described_in_a_few_words(value, words):
    assert described(value) == words
