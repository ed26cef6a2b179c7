"""Healthy models of which there is something to note."""

import torch.nn.functional as F

from tests.corpus.case import Built, healthy
from tests.corpus.parts import blobs, curve, fill, mlp, supervised


@healthy(field="tabular", tricky="all labels are of one class, as in a batch that is made by hand to try a model out")
def batch_of_one_class() -> Built:
    """A classifier on a batch of one class."""
    x, y = blobs()
    return supervised(mlp([20, 32, 10]), x[y == 3], y[y == 3])


@healthy(field="tabular", tricky="most units are off for the whole batch, and the others learn")
def biases_below_zero() -> Built:
    """A ReLU layer whose biases start at -2."""
    x, y = curve()
    model = mlp([8, 32, 1])
    fill(model[0].bias, -2.0)
    return supervised(model, x, y, F.mse_loss)
