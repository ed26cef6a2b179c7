import pytest
import torch
from torch.nn import functional as F

from gradcheck_cli.watch.functiontraits import FunctionTraits, traits_of


@pytest.mark.parametrize(
    ("func", "traits"),
    [
        (torch.relu, FunctionTraits("relu", False, False, False, False)),
        (F.dropout, FunctionTraits("dropout", True, False, False, False)),
        (torch.Tensor.bernoulli_, FunctionTraits("bernoulli_", True, False, False, False)),
        (torch.Tensor.detach, FunctionTraits("detach", False, True, False, False)),
        (torch.log, FunctionTraits("log", False, False, True, False)),
        (torch.Tensor.item, FunctionTraits("item", False, False, False, True)),
    ],
)
def test_what_is_known_of_a_function(func: object, traits: FunctionTraits) -> None:
    assert traits_of(func) == traits  # type: ignore[arg-type]
    assert traits_of(func) is traits_of(func)  # type: ignore[arg-type]
