"""Lightning: modules that hold their own training step, as projects write them and as the package ships."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .registry import Built, architecture

LIBRARY = "lightning"


def training_step(model: Any, batch: Any) -> torch.Tensor:
    """The module's own training step; its loss may come in a dictionary."""
    result = model.training_step(batch, 0)
    return result["loss"] if isinstance(result, dict) else result


def module(network: nn.Module, loss: Callable[[nn.Module, Any], torch.Tensor]) -> nn.Module:
    """A LightningModule around a network, with its loss in the training step."""
    import lightning.pytorch as lightning

    class Lit(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.network(x)

        def training_step(self, batch: Any, batch_idx: int) -> dict[str, torch.Tensor]:
            return {"loss": loss(self.network, batch)}

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=1e-3)

    return Lit()


def classify(network: nn.Module, batch: Any) -> torch.Tensor:
    x, labels = batch
    return F.cross_entropy(network(x), labels)


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    coarse = torch.rand(8, 1, 7, 7).round()
    return F.interpolate(coarse, scale_factor=4), torch.arange(8) % 4


def perceptron(*widths: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(*widths[:2]), nn.ReLU(), nn.Linear(*widths[1:]))


@architecture("lightning-image-classifier", LIBRARY)
def image_classifier() -> Built:
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout(0.25), nn.Flatten(), nn.Linear(800, 64), nn.ReLU(), nn.Linear(64, 4),
    )  # fmt: skip
    return module(network, classify), digits(), training_step


@architecture("lightning-autoencoder", LIBRARY)
def autoencoder() -> Built:
    def reconstruct(network: nn.Module, batch: Any) -> torch.Tensor:
        x = batch[0].flatten(1)
        return F.mse_loss(network(x), x)

    network = nn.Sequential(nn.Flatten(), perceptron(784, 64, 3), perceptron(3, 64, 784))
    return module(network, reconstruct), digits(), training_step


@architecture("lightning-variational-autoencoder", LIBRARY)
def variational_autoencoder() -> Built:
    def elbo(network: nn.Module, batch: Any) -> torch.Tensor:
        x = batch[0].flatten(1)
        mean, spread = network["encoder"](x).chunk(2, -1)
        code = mean + torch.randn_like(mean) * (spread / 2).exp()
        divergence = -0.5 * (1 + spread - mean**2 - spread.exp()).sum(-1).mean()
        return F.binary_cross_entropy_with_logits(network["decoder"](code), x) + divergence / 784

    network = nn.ModuleDict({"encoder": perceptron(784, 64, 16), "decoder": perceptron(8, 64, 784)})
    return module(network, elbo), digits(), training_step


@architecture("lightning-contrastive", LIBRARY)
def contrastive() -> Built:
    def info_nce(network: nn.Module, batch: Any) -> torch.Tensor:
        views = [F.normalize(network(x + 0.1 * torch.randn_like(x)), dim=-1) for x in (batch[0], batch[0])]
        return F.cross_entropy(views[0] @ views[1].T / 0.1, torch.arange(len(batch[0])))

    network = nn.Sequential(nn.Flatten(), perceptron(784, 64, 32))
    return module(network, info_nce), digits(), training_step


@architecture("lightning-q-learning", LIBRARY)
def q_learning() -> Built:
    def temporal_difference(network: nn.Module, batch: Any) -> torch.Tensor:
        state, action, reward, following = batch
        value = network(state).gather(1, action[:, None]).squeeze(1)
        with torch.no_grad():
            target = reward + 0.9 * network(following).max(1).values
        return F.smooth_l1_loss(value, target)

    batch = torch.randn(64, 4), torch.randint(2, (64,)), torch.randn(64), torch.randn(64, 4)
    return module(perceptron(4, 64, 2), temporal_difference), batch, training_step


@architecture("lightning-boring", LIBRARY, learning_rate=1e-2)
def boring() -> Built:
    from lightning.pytorch.demos.boring_classes import BoringModel

    return BoringModel(), torch.randn(4, 32), training_step


def language_batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(50, (4, 17))
    return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()


@architecture("lightning-demo-transformer", LIBRARY)
def demo_transformer() -> Built:
    from lightning.pytorch.demos.transformer import Transformer

    def next_token(network: nn.Module, batch: Any) -> torch.Tensor:
        ids, following = batch
        return F.nll_loss(network(ids, following), following.view(-1))

    network = Transformer(vocab_size=50, ninp=48, nhead=4, nhid=96)
    return module(network, next_token), language_batch(), training_step


@architecture("lightning-demo-lstm", LIBRARY, learning_rate=5e-3)
def demo_lstm() -> Built:
    from lightning.pytorch.demos.lstm import SimpleLSTM

    def next_token(network: Any, batch: Any) -> torch.Tensor:
        ids, following = batch
        return F.nll_loss(network(ids, network.init_hidden(len(ids)))[0], following.view(-1))

    network = SimpleLSTM(vocab_size=50, ninp=48, nhid=48, nlayers=2)
    return module(network, next_token), language_batch(), training_step
