"""Calls of a product that are answered otherwise: 0, or what their mean input gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradcheck_cli.probe.heads import Weights
from gradcheck_cli.probe.nulls import Answering, NullUnavailable, Product, product_of
from tests.probe.models import Apply, weight

X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
MEAN = X.mean(0)


def zeroed(product: Product) -> None:
    product.zeroed()


def averaged(product: Product) -> None:
    product.averaged()


def answered(model: nn.Module, change: Callable[[Product], None], *given: Any, calls: tuple[int, ...] = (0,)) -> Any:
    with Answering(calls, Weights(model), change) as mode:
        result = model(*given)
    assert mode.answered == len(calls)
    return result


def layer(function: Callable[..., Any], *shape: int) -> Apply:
    return Apply(function, w=weight(*shape))


FORMS: dict[str, Apply] = {
    "linear": layer(lambda m, x: F.linear(x, m.w.T), 4, 3),
    "linear by name": layer(lambda m, x: F.linear(input=x, weight=m.w.T, bias=m.w[0]), 4, 3),
    "@": layer(lambda m, x: x @ m.w, 4, 3),
    "matmul": layer(lambda m, x: torch.matmul(x, m.w), 4, 3),
    "weight first": layer(lambda m, x: (m.w.T @ x.T).T, 4, 3),
    "mm": layer(lambda m, x: x.mm(m.w), 4, 3),
    "mm by name": layer(lambda m, x: torch.mm(x, mat2=m.w), 4, 3),
    "addmm": layer(lambda m, x: torch.addmm(m.w[0], x, m.w), 4, 3),
    "addmm by name": layer(lambda m, x: torch.addmm(input=m.w[0], mat1=x, mat2=m.w), 4, 3),
    "mv": layer(lambda m, x: x.mv(m.w), 4),
    "addmv": layer(lambda m, x: torch.addmv(m.w[:1], x, m.w), 4),
    "bmm": layer(lambda m, x: torch.bmm(x[None], m.w[None])[0], 4, 3),
    "baddbmm": layer(lambda m, x: torch.baddbmm(m.w[:1], x[None], m.w[None])[0], 4, 3),
    "addbmm": layer(lambda m, x: torch.addbmm(m.w[:1], x[None], m.w[None]), 4, 3),
    "einsum": layer(lambda m, x: torch.einsum("bi, io -> bo", x, m.w), 4, 3),
    "einsum, weight first": layer(lambda m, x: torch.einsum("io,bi->ob", m.w, x).T, 4, 3),
    "einsum of a list": layer(lambda m, x: torch.einsum("bi,io->bo", [x, m.w]), 4, 3),
    "einsum of places": layer(lambda m, x: torch.einsum(x, [0, 1], m.w, [1, 2], [0, 2]), 4, 3),
    "conv1d": layer(lambda m, x: F.conv1d(x[..., None], m.w.T[..., None])[..., 0], 4, 3),
    "conv2d": layer(lambda m, x: F.conv2d(x[..., None, None], m.w.T[..., None, None])[..., 0, 0], 4, 3),
    "conv1d of one": layer(lambda m, x: F.conv1d(x.T, m.w.T[..., None]).T, 4, 3),
    "conv_transpose1d": layer(lambda m, x: F.conv_transpose1d(x[..., None], m.w[..., None])[..., 0], 4, 3),
    "conv_transpose2d": layer(lambda m, x: F.conv_transpose2d(x.T[..., None], m.w[..., None, None])[..., 0].T, 4, 3),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_product_in_whatever_form_it_is_written(name: str) -> None:
    model = FORMS[name]
    assert not answered(model, zeroed, X).any()
    torch.testing.assert_close(answered(model, averaged, X), model(MEAN.expand(6, 4)))


def test_attention_answers_through_its_last_layer() -> None:
    model = nn.MultiheadAttention(4, 2, batch_first=True)
    x = torch.randn(3, 5, 4)
    nn.init.ones_(model.out_proj.bias)
    mean, shares = answered(model, averaged, x, x, x)
    torch.testing.assert_close(mean, model(x, x, x)[0].mean((0, 1)).expand(3, 5, 4))
    torch.testing.assert_close(shares, model(x, x, x)[1])
    assert not answered(model, zeroed, x, x, x)[0].any()


def test_samples_are_counted() -> None:
    model = nn.Linear(4, 3)
    for given, samples in ((X, 6), (X[0], 1), (X.view(2, 3, 4), 6)):
        with Answering([0], Weights(model), averaged) as mode:
            model(given)
        assert mode.samples == samples


def test_only_the_calls_that_are_asked_for_are_answered() -> None:
    first, second = nn.Linear(4, 4, bias=False), nn.Linear(4, 3, bias=False)
    model = nn.Sequential(first, second)
    torch.testing.assert_close(answered(model, averaged, X, calls=(0,)), model(MEAN.expand(6, 4)))
    assert not answered(model, zeroed, X, calls=(1,)).any()
    assert first.weight.any() and second.weight.any()


def test_a_weight_that_needs_no_gradient_is_answered_too() -> None:
    model = nn.Linear(4, 3).requires_grad_(False)
    assert not answered(model, zeroed, X).any()


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda x, w: x @ x.T, "matmul is no product of a weight and an input"),
        (lambda x, w: w @ w.T, "matmul is no product of a weight and an input"),
        (lambda x, w: torch.einsum("bi,io", x, w), "einsum is called in an unusual way"),
        (lambda x, w: torch.einsum("...i,io->...o", x, w), "einsum is called in an unusual way"),
        (lambda x, w: torch.einsum("bi,io,o->b", x, w, w[0]), "einsum is called in an unusual way"),
        (lambda x, w: torch.einsum("bi,bj->ij", x, x), "einsum is no product of a weight and an input"),
    ],
)
def test_what_cannot_be_answered_says_why(call: Callable[[Tensor, Tensor], Tensor], reason: str) -> None:
    model = layer(lambda m, x: call(x, m.w), 4, 3)
    with pytest.raises(NullUnavailable, match=reason):
        answered(model, zeroed, X)


def test_a_call_that_sees_one_sample_of_many_has_no_mean() -> None:
    model = nn.Linear(4, 3)
    with Answering([0], Weights(model), averaged), pytest.raises(NullUnavailable, match="all samples at once"):
        torch.vmap(model)(X)


def test_what_goes_in_is_told_with_its_channels() -> None:
    w = weight(2, 4, 3)
    given = torch.randn(5, 4, 7, 2)
    fed = product_of("einsum", ("bhtd,dho->bto", given, w), {}, Weights(layer(lambda m: None, 1)))
    values, channel = fed.fed() or (None, None)
    assert values is not None and channel == -1
    torch.testing.assert_close(values, given.permute(0, 2, 1, 3).flatten(2))
