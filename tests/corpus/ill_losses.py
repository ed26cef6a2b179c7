"""Models whose loss compares the wrong things, or cannot say what is wrong."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import Built, ill
from tests.corpus.faults import has_no_floor, names_no_class
from tests.corpus.parts import blobs, curve, fill, mlp, supervised
from tests.corpus.provers import diverges, learns_less, moves_less, no_gradient, stays_at_chance


@ill(family="vanishing", causes=("broadcast",), field="tabular", proof=learns_less(column=True))
def predictions_in_a_column(column: bool = False) -> Built:
    """A regression that compares predictions of shape (N, 1) with targets of shape (N,)."""
    x, y = curve()
    return supervised(mlp([8, 32, 1]), x, y if column else y.squeeze(1), F.mse_loss)


@ill(family="vanishing", causes=("unbounded-loss",), field="tabular", proof=has_no_floor(final=nn.LogSoftmax))
def nll_of_raw_scores(final=lambda dim: nn.Identity()) -> Built:
    """A classifier with nll_loss on scores that no log_softmax has normalised."""
    x, y = blobs()
    return supervised(nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 10), final(dim=1)), x, y, F.nll_loss)


@ill(family="vanishing", causes=("wrong-loss",), field="tabular", proof=names_no_class(loss=None))
def squared_error_of_class_numbers(loss=F.mse_loss) -> Built:
    """A classifier of ten classes that is trained by the squared error between its outputs and the class numbers."""
    x, y = blobs()
    model = mlp([20, 32, 10])
    return supervised(model, x, y[:, None], loss or (lambda out, labels: F.cross_entropy(out, labels[:, 0])))


class Fake(nn.Module):
    """A generator under a frozen discriminator: the probability that its samples are real."""

    def __init__(self, confidence: float):
        super().__init__()
        self.generator = mlp([16, 32, 8])
        self.discriminator = nn.Linear(8, 1).requires_grad_(False)
        fill(self.discriminator.bias, -confidence)

    def forward(self, noise: Tensor) -> Tensor:
        return self.discriminator(self.generator(noise)).sigmoid()


@ill(
    family="vanishing",
    causes=("minimax-loss",),
    field="generative",
    proof=moves_less("generator", factor=100, confidence=0.0),
)
def log_of_one_minus_p(confidence: float = 8.0) -> Built:
    """A generator that minimises log(1 - p), which a sure discriminator keeps flat."""
    noise = torch.randn(64, 16)
    return Fake(confidence), noise, lambda model, noise: torch.log1p(-model(noise)).mean()


@ill(
    family="no-gradient",
    causes=("saturated-loss",),
    field="tabular",
    proof=stays_at_chance(0.97),
    try_budget=800,
)
def clamped_errors() -> Built:
    """A regression whose squared errors are clamped at 1, while its targets are house prices in thousands."""
    x, y = curve()
    prices = 15 + 10 * y
    return supervised(mlp([8, 32, 1]), x, prices, lambda out, price: (out - price).square().clamp(max=1).mean())


@ill(family="no-gradient", causes=("graph-cut",), field="vision", proof=no_gradient("", cut=False))
def loss_of_a_detached_output(cut: bool = True) -> Built:
    """A loss of a detached output, made to look like one that can be differentiated."""
    x, y = blobs()

    def step(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        logits = model(batch[0])
        return F.cross_entropy(logits.detach(), batch[1]).requires_grad_() if cut else F.cross_entropy(logits, batch[1])

    return mlp([20, 32, 10]), (x, y), step


@ill(family="exploding", causes=("loss-scale",), field="physics", proof=diverges(error=1.0))
def chi_square_in_metres(error: float = 1e-11) -> Built:
    """Errors weighed by a measurement uncertainty that is given in metres, where the values are not."""
    x, y = curve()
    return supervised(mlp([8, 32, 1]), x, y, lambda out, y: ((out - y) / error).square().mean())
