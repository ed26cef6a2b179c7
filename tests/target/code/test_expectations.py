"""What torch's layers expect of a tensor, held against whether they take it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gradcheck_cli.target.code.expectations import shortfall

LAYERS = {
    "linear": lambda n: nn.Linear(n, 2),
    "conv1d": lambda n: nn.Conv1d(n, 2, 1),
    "conv2d": lambda n: nn.Conv2d(n, 2, 1),
    "conv3d": lambda n: nn.Conv3d(n, 2, 1),
    "transposed": lambda n: nn.ConvTranspose2d(n, 2, 1),
    "layer_norm": lambda n: nn.LayerNorm([n]),
    "layer_norm_2d": lambda n: nn.LayerNorm([2, n]),
    "gru": lambda n: nn.GRU(n, 2),
}


@settings(max_examples=120, deadline=None)
@given(
    kind=st.sampled_from(sorted(LAYERS)),
    size=st.integers(1, 3),
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=5).map(tuple),
)
def test_a_shape_falls_short_exactly_where_the_layer_raises(kind, size, shape):
    layer, tensor = LAYERS[kind](size), torch.ones(shape)
    if kind == "gru" and len(shape) not in (2, 3):
        return  # the number of dimensions is told by torch itself
    try:
        layer(tensor)
        taken = True
    except RuntimeError:
        taken = False
    told = shortfall(layer, [tensor])
    assert (told == "") is taken
    assert taken or told.endswith(f"it got float32{list(shape)}")


@pytest.mark.parametrize(
    ("layer", "tensor", "told"),
    [
        (nn.Linear(5, 2), torch.ones(4, 3), "a last dimension of 5 (in_features), it got float32[4, 3]"),
        (nn.LSTM(5, 2), torch.ones(4, 3), "a last dimension of 5 (input_size), it got float32[4, 3]"),
        (nn.BatchNorm2d(5), torch.ones(4, 3, 2, 2), "5 channels in dimension 1 (num_features)"),
        (nn.SyncBatchNorm(5), torch.ones(4, 3), "5 channels in dimension 1 (num_features)"),
        (nn.Conv1d(5, 2, 1), torch.ones(4, 3, 2), "5 channels in dimension 1 (in_channels)"),
        (nn.Conv2d(5, 2, 1), torch.ones(4, 3, 2), "5 channels in dimension 0 (in_channels)"),
        (nn.Conv3d(5, 2, 1), torch.ones(4, 3), "5 dimensions (batch, channels and 3 of space)"),
        (nn.LayerNorm([3, 5]), torch.ones(5), "last dimensions [3, 5] (normalized_shape)"),
        (nn.Embedding(5, 2), torch.tensor([-1, 3]), "indices from 0 to 4 (num_embeddings) and not -1 to 3"),
        (nn.Embedding(5, 2), torch.ones(2), "whole numbers as indices, it got float32[2]"),
    ],
)
def test_what_a_layer_expects_is_said_with_the_arguments_name(layer, tensor, told):
    assert shortfall(layer, [tensor]).startswith(f"it expects {told}")


@pytest.mark.parametrize(
    ("layer", "tensor"),
    [
        (nn.Embedding(5, 2), torch.tensor([0, 4])),
        (nn.Embedding(5, 2), torch.zeros(0, dtype=torch.int64)),
        (nn.BatchNorm1d(5), torch.ones(2, 5)),
        (nn.LSTM(5, 2), torch.ones(2, 3, 5)),
        (nn.ReLU(), torch.ones(2)),
        (nn.Linear(5, 2), torch.ones(5)),
    ],
)
def test_nothing_is_said_where_layer_and_tensor_agree(layer, tensor):
    assert shortfall(layer, [tensor]) == ""


def test_a_mismatch_of_dtype_or_device_is_told_where_the_shapes_fit():
    assert shortfall(nn.Linear(3, 2), [torch.ones(2, 3).double()]) == "its weights are float32, it got float64[2, 3]"
    on_meta = shortfall(nn.Linear(3, 2), [torch.ones(2, 3, device="meta")])
    assert on_meta == "its weights are on cpu, it got a tensor on meta"


def test_the_first_tensor_counts_and_without_one_nothing_is_said():
    assert shortfall(nn.Linear(3, 2), ["text", torch.ones(2), torch.ones(3)]).startswith("it expects a last dimension")
    assert shortfall(nn.Linear(3, 2), ["text", None]) == ""
    assert shortfall(nn.Linear(3, 2), []) == ""
