"""Tensors of every make are read, copied and compared bit for bit, and none of them makes a question raise."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradcheck_cli.runtime import tensors
from tests.hostile.kinds import MAKES

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

UNREADABLE = {"meta", "float4"}
NO_MEMORY = {"meta", "mkldnn", "empty"}


def _float(number: tensors.Scalar | None) -> float:
    assert number is not None
    return float(number)


@pytest.mark.parametrize("make", MAKES)
def test_every_make_has_an_answer_or_none(make: str) -> None:
    tensor = MAKES[make]()
    answers = [question(tensor) for question in (tensors.norm, tensors.extreme, tensors.is_finite)]
    assert [answer is None for answer in answers] == [make in UNREADABLE] * 3


def test_the_norm_of_a_lazy_parameter_cannot_be_told() -> None:
    lazy = nn.LazyLinear(3).weight
    assert (tensors.norm(lazy), tensors.bits(lazy), tensors.shape(lazy)) == (None, (), ())


@pytest.mark.parametrize(
    ("tensor", "norm"),
    [
        (torch.tensor([3.0, 4.0]).to(torch.float8_e4m3fn), 5.0),
        (torch.tensor([3.0, 4.0j], dtype=torch.complex64).to(torch.complex32), 5.0),
        (torch.quantize_per_tensor(torch.tensor([3.0, 4.0]), 1.0, 0, torch.qint8), 5.0),
        (torch.tensor([[0.0, 3.0], [4.0, 0.0]]).to_sparse(), 5.0),
        (torch.sparse_coo_tensor([[0, 0], [1, 1]], [1.0, 4.0], (2, 2)), 5.0),
        (torch.tensor([[0.0, 3.0], [4.0, 0.0]]).to_sparse_csr(), 5.0),
        (torch.nested.nested_tensor([torch.tensor([3.0]), torch.tensor([4.0, 0.0])], layout=torch.jagged), 5.0),
        (torch.full((2,), 3e38), 3e38 * math.sqrt(2)),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_norms_are_those_of_the_values(tensor: Tensor, norm: float) -> None:
    assert _float(tensors.norm(tensor)) == pytest.approx(norm)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_told(bad: float) -> None:
    plain = torch.tensor([[0.0, bad], [1.0, 0.0]])
    for tensor in (plain, plain.to_sparse(), plain.to_sparse_csr(), plain.to(torch.float8_e5m2)):
        assert tensors.is_finite(tensor) is False


@pytest.mark.parametrize("make", sorted(MAKES.keys() - NO_MEMORY))
def test_bits_are_copied_compared_and_put_back(make: str) -> None:
    tensor = MAKES[make]()
    found = tensors.bits(tensor)
    assert found
    before = [tensors.copied(stretch) for stretch in found]
    for stretch in found:
        stretch.words.bitwise_not_()
        stretch.rest.bitwise_not_()
    assert not any(tensors.same(*pair) for pair in zip(found, before, strict=True) if pair[0].nbytes)
    for pair in zip(found, before, strict=True):
        tensors.put_back(*pair)
        assert tensors.same(*pair)


@pytest.mark.parametrize("make", ["mkldnn"])
def test_memory_that_torch_hides_cannot_be_told(make: str) -> None:
    assert tensors.bits(MAKES[make]()) is None


def test_a_view_has_no_more_than_its_own_stretch_to_the_next_word() -> None:
    whole = torch.arange(100, dtype=torch.int64)
    (found,) = tensors.bits(whole[10:20]) or ()
    assert found.words.tolist() == list(range(10, 20))


@pytest.mark.parametrize("numel", [1, 7, 1021, 1021 * 3, 5000])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32, torch.float64])
def test_a_fingerprint_shows_every_small_change(numel: int, dtype: torch.dtype) -> None:
    tensor = torch.rand(numel).mul(100).to(dtype)
    (found,) = tensors.bits(tensor) or ()
    before = tensors.fingerprint(found)
    assert tensors.agree(before, tensors.fingerprint(found))
    for change in _changes(tensor):
        kept = tensor.clone()
        change()
        if not torch.equal(kept.view(torch.uint8), tensor.view(torch.uint8)):
            assert not tensors.agree(before, tensors.fingerprint(found))
        tensor.copy_(kept)


def _changes(tensor: Tensor) -> list[Callable[[], object]]:
    return [
        lambda: tensor.copy_(tensor.flip(0)),
        lambda: tensor.copy_(tensor[torch.randperm(len(tensor))]),
        lambda: tensor.neg_(),
        lambda: tensor.zero_(),
        lambda: tensor[-1].add_(1),
        lambda: tensor[0].add_(1),
        lambda: tensor.copy_(tensor.roll(1)),
    ]


def test_room_is_made_again_in_a_storage_that_shrank() -> None:
    tensor = torch.ones(100)
    (found,) = tensors.bits(tensor) or ()
    before = tensors.copied(found)
    tensor.untyped_storage().resize_(0)
    assert not tensors.fits(found)
    tensors.make_room(found)
    tensors.put_back(found, before)
    assert tensor.tolist() == [1.0] * 100
