"""Models in which the signal is lost, drowned or blown up on its way forward."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import Built, ill
from tests.corpus.faults import hides_nonfinite
from tests.corpus.parts import blobs, curve, init_normal, mlp, supervised
from tests.corpus.provers import SGD, learns_less


@ill(family="nonfinite", causes=("zero-div-zero",), field="text", proof=hides_nonfinite(least=1.0))
def tfidf_of_an_empty_document(least: float = 0.0) -> Built:
    """Word counts divided by their sum: an empty document gives NaN, which nan_to_num then hides."""

    class TfIdf(nn.Module):
        def __init__(self):
            super().__init__()
            self.idf = nn.Parameter(1 + torch.rand(20), requires_grad=False)

        def forward(self, counts: Tensor) -> Tensor:
            return self.idf * counts / counts.sum(1, keepdim=True).clamp(min=least)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.tfidf = TfIdf()
            self.head = mlp([20, 32, 4])

        def forward(self, counts: Tensor) -> Tensor:
            return self.head(torch.nan_to_num(self.tfidf(counts)))

    y = torch.arange(32) % 4
    counts = torch.poisson(torch.rand(4, 20)[y] * 3)
    counts[5] = 0
    return supervised(Net(), counts, y)


@ill(
    family="vanishing",
    causes=("input-scale", "saturating-activation"),
    field="tabular",
    proof=learns_less(scale=1.0),
)
def tanh_on_millivolts(scale: float = 3000.0) -> Built:
    """Voltages in millivolts into a tanh layer: nearly every unit is at -1 or 1."""
    x, y = curve(256, 8)
    return supervised(mlp([8, 16, 1], nn.Tanh), scale * x, y, F.mse_loss)


@ill(
    family="vanishing",
    causes=("saturating-activation", "collapsed"),
    field="tabular",
    proof=learns_less(std=0.0, recipes=SGD),
)
def biases_as_wide_as_the_signal(std: float = 1.0) -> Built:
    """Twenty tanh layers whose biases are drawn as wide as what they are added to: all samples end up alike."""
    x, y = blobs(64, 20, 4)
    model = init_normal(mlp([20] + [32] * 20 + [4], nn.Tanh), gain=0.9)
    for layer in model[::2]:
        nn.init.normal_(layer.bias, std=std)
    return supervised(model, x, y)


@ill(
    family="vanishing",
    causes=("input-scale",),
    field="tabular",
    proof=learns_less(standardised=True),
    try_budget=800,
)
def salary_beside_shares(standardised: bool = False) -> Built:
    """A table of shares of a percent, one column of which is a salary that says nothing of the class."""
    x, y = blobs(64, 8, 4)
    table = torch.cat([0.01 * x[:, :7], 300 * torch.randn(64, 1)], 1)
    return supervised(mlp([8, 32, 4]), table / table.std(0) if standardised else table, y)


@ill(
    family="exploding",
    causes=("large-init",),
    field="tabular",
    proof=learns_less(gain=1.0),
    try_budget=500,
)
def chaotic_tanh_stack(gain: float = 3.0) -> Built:
    """Thirty tanh layers with weights three times too large: outputs stay small, gradients grow at each."""
    x, y = blobs(64, 20, 4)
    return supervised(init_normal(mlp([20] + [64] * 30 + [4], nn.Tanh), gain=gain), x, y)
