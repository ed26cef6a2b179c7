"""The names of ops as users know them."""

import pytest

from gradcheck_cli.names import plain_op


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
        ("MyFunctionBackward", "MyFunction"),
    ],
)
def test_plain_op(node: str, plain: str) -> None:
    assert plain_op(node) == plain
