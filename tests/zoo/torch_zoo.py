"""torch.nn alone: recurrent, attention, convolutional and embedding networks as people write them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .registry import Built, architecture

LIBRARY = "torch"


def classify(model: nn.Module, batch: Any) -> torch.Tensor:
    """Cross-entropy of the model's logits; the last of the batch is the labels."""
    *inputs, labels = batch
    return F.cross_entropy(model(*inputs).flatten(0, -2), labels.flatten())


def regress(model: nn.Module, batch: Any) -> torch.Tensor:
    """Mean squared error; the last of the batch is the targets."""
    *inputs, targets = batch
    return F.mse_loss(model(*inputs), targets)


def labels(*shape: int, classes: int = 10) -> torch.Tensor:
    return torch.randint(classes, shape)


# --- recurrent networks ------------------------------------------------------------------------


class SequenceClassifier(nn.Module):
    """Classify a sequence by the last output, or by the mean where both directions are read."""

    def __init__(self, cell: type[nn.RNNBase], **settings: Any) -> None:
        super().__init__()
        self.rnn = cell(8, 48, batch_first=True, **settings)
        width = settings.get("proj_size") or 48
        self.head = nn.Linear(width * (1 + settings.get("bidirectional", False)), 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs = self.rnn(x)[0]
        return self.head(outputs.mean(1) if self.rnn.bidirectional else outputs[:, -1])


class Tagger(nn.Module):
    """Embed tokens, run a recurrent network, predict a tag at every step."""

    def __init__(self, cell: type[nn.RNNBase], **settings: Any) -> None:
        super().__init__()
        self.embed = nn.Embedding(100, 32)
        self.rnn = cell(32, 48, batch_first=True, bidirectional=True, **settings)
        self.head = nn.Linear(96, 10)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.rnn(self.embed(ids))[0])


class PackedClassifier(nn.Module):
    """Classify sequences of several lengths, packed."""

    def __init__(self, cell: type[nn.RNNBase]) -> None:
        super().__init__()
        self.embed = nn.Embedding(100, 32, padding_idx=0)
        self.rnn = cell(32, 48, batch_first=True)
        self.head = nn.Linear(48, 10)

    def forward(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False)
        state = self.rnn(packed)[1]
        return self.head((state[0] if isinstance(state, tuple) else state)[-1])


class CellLoop(nn.Module):
    """A cell unrolled by hand, with a prediction at every step."""

    def __init__(self, cell: type[nn.RNNCellBase]) -> None:
        super().__init__()
        self.cell, self.head = cell(8, 48), nn.Linear(48, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state, outputs = None, []
        for step in x.unbind(1):
            state = self.cell(step, state)
            outputs.append(self.head(state[0] if isinstance(state, tuple) else state))
        return torch.stack(outputs, 1)


class RecurrentSeq2Seq(nn.Module):
    """A GRU encodes, another decodes with additive attention over the encoder's states."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(100, 32)
        self.encoder, self.decoder = nn.GRU(32, 48, batch_first=True), nn.GRU(32, 48, batch_first=True)
        self.query, self.key, self.score = nn.Linear(48, 48), nn.Linear(48, 48), nn.Linear(48, 1)
        self.head = nn.Linear(96, 100)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        memory, state = self.encoder(self.embed(source))
        states, _ = self.decoder(self.embed(target), state)
        scores = self.score(torch.tanh(self.query(states)[:, :, None] + self.key(memory)[:, None]))
        context = scores.squeeze(-1).softmax(-1) @ memory
        return self.head(torch.cat([states, context], -1))


def series(length: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(8, length, 8), labels(8)


def sentences(classes: int = 10) -> tuple[torch.Tensor, torch.Tensor]:
    return labels(8, 16, classes=100), labels(8, 16, classes=classes)


for cell_name, cell_type in {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}.items():
    for suffix, settings in {
        "": {},
        "-stacked": {"num_layers": 3, "dropout": 0.1},
        "-bidirectional": {"num_layers": 2, "bidirectional": True},
    }.items():

        @architecture(f"torch-{cell_name}{suffix}", LIBRARY)
        def _last(cell=cell_type, settings=settings) -> Built:
            return SequenceClassifier(cell, **settings), series(), classify

    @architecture(f"torch-{cell_name}-tagger", LIBRARY)
    def _tagger(cell=cell_type) -> Built:
        return Tagger(cell), sentences(), classify

    @architecture(f"torch-{cell_name}-packed", LIBRARY)
    def _packed(cell=cell_type) -> Built:
        lengths = torch.randint(4, 17, (8,))
        ids = labels(8, 16, classes=99) + 1
        ids[torch.arange(16) >= lengths[:, None]] = 0
        return PackedClassifier(cell), (ids[:, : lengths.max()], lengths, labels(8)), classify


for cell_name, loop_cell in {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}.items():

    @architecture(f"torch-{cell_name}-cell-loop", LIBRARY, learning_rate=5e-3)
    def _loop(cell=loop_cell) -> Built:
        return CellLoop(cell), (torch.randn(8, 20, 8), labels(8, 20)), classify


@architecture("torch-rnn-relu", LIBRARY)
def rnn_relu() -> Built:
    return SequenceClassifier(nn.RNN, nonlinearity="relu"), series(), classify


@architecture("torch-lstm-projected", LIBRARY)
def lstm_projected() -> Built:
    return SequenceClassifier(nn.LSTM, proj_size=16), series(), classify


@architecture("torch-gru-attention-seq2seq", LIBRARY)
def gru_seq2seq() -> Built:
    source, target = sentences(classes=100)
    return RecurrentSeq2Seq(), (source, target, target.roll(-1, 1)), classify


# --- attention ---------------------------------------------------------------------------------


class Embedded(nn.Module):
    """Token and position embeddings, a transformer, and a head over the vocabulary."""

    def __init__(self, body: nn.Module, causal: bool) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(100, 64), nn.Embedding(32, 64)
        self.body, self.head, self.causal = body, nn.Linear(64, 100), causal

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        return self.tokens(ids) + self.positions.weight[: ids.shape[1]]

    def forward(self, *ids: torch.Tensor) -> torch.Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(ids[-1].shape[1]) if self.causal else None
        keyword = "mask" if isinstance(self.body, nn.TransformerEncoder) else "tgt_mask"
        return self.head(self.body(*map(self.embed, ids), **{keyword: mask}))


class PooledAttention(nn.Module):
    """nn.MultiheadAttention with a learned query that pools the sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.inward, self.attend = nn.Linear(8, 64), nn.MultiheadAttention(64, 4, batch_first=True)
        self.query, self.head = nn.Parameter(torch.randn(1, 1, 64) * 0.02), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        memory = self.inward(x)
        pooled, _ = self.attend(self.query.expand(len(x), -1, -1), memory, memory)
        return self.head(pooled.squeeze(1))


class SelfAttentionBlock(nn.Module):
    """A hand-written pre-norm block over scaled_dot_product_attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (t.unflatten(-1, (4, -1)).transpose(1, 2) for t in self.qkv(self.norms[0](x)).chunk(3, -1))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norms[1](x))


class CausalBody(nn.Sequential):
    """Blocks that mask by themselves, under the interface of nn.TransformerEncoder."""

    def forward(self, x: torch.Tensor, tgt_mask: torch.Tensor | None = None) -> torch.Tensor:
        return super().forward(x)


def encoder(layers: int = 3, **settings: Any) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True, **settings)
    return nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)


def tagged(body: nn.Module, causal: bool = False) -> Built:
    return Embedded(body, causal), sentences(classes=100), classify


@architecture("torch-transformer-encoder", LIBRARY)
def transformer_encoder() -> Built:
    return tagged(encoder())


@architecture("torch-transformer-encoder-prenorm", LIBRARY)
def transformer_encoder_prenorm() -> Built:
    return tagged(encoder(12, norm_first=True, activation="gelu"), causal=True)


@architecture("torch-transformer", LIBRARY)
def transformer() -> Built:
    body = nn.Transformer(64, 4, 2, 2, 128, batch_first=True)
    source, target = sentences(classes=100)
    return Embedded(body, True), (source, target, target.roll(-1, 1)), classify


@architecture("torch-multihead-attention-pool", LIBRARY)
def attention_pool() -> Built:
    return PooledAttention(), series(), classify


@architecture("torch-sdpa-gpt", LIBRARY)
def sdpa_gpt() -> Built:
    return tagged(CausalBody(*[SelfAttentionBlock(64) for _ in range(4)]))


# --- feed-forward and convolutional networks -----------------------------------------------------


def images(channels: int = 3, size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(8, channels, size, size), labels(8)


def table(columns: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(32, columns), torch.randn(32, 1)


def mlp(*widths: int, activation: type[nn.Module] = nn.ReLU, norm: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths[:-1]):
        layers += [nn.Linear(fan_in, fan_out), *([nn.BatchNorm1d(fan_out)] if norm else []), activation()]
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))


for activation_type in (nn.ReLU, nn.Tanh, nn.GELU, nn.SiLU, nn.ELU, nn.LeakyReLU, nn.Mish):

    @architecture(f"torch-mlp-{activation_type.__name__.lower()}", LIBRARY)
    def _mlp(activation=activation_type) -> Built:
        return mlp(16, 64, 64, 64, 1, activation=activation), table(), regress


@architecture("torch-mlp-batchnorm", LIBRARY)
def mlp_batchnorm() -> Built:
    return mlp(16, 64, 64, 64, 64, 64, 1, norm=True), table(), regress


@architecture("torch-selu-net", LIBRARY)
def selu_net() -> Built:
    model = mlp(16, *[64] * 8, 1, activation=nn.SELU)
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    return model, table(), regress


@architecture("torch-lenet", LIBRARY)
def lenet() -> Built:
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip
    return model, images(1, 28), classify


def convolutions(*channels: int, norm: bool) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(channels):
        layers += [nn.Conv2d(fan_in, fan_out, 3, padding=1), *([nn.BatchNorm2d(fan_out)] if norm else [])]
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    return layers


@architecture("torch-vgg", LIBRARY)
def vgg() -> Built:
    body = convolutions(3, 16, 32, 64, norm=True)
    return (
        nn.Sequential(*body, nn.Flatten(), nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 10)),
        images(),
        classify,
    )


@architecture("torch-conv-autoencoder", LIBRARY)
def conv_autoencoder() -> Built:
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(16, 1, 4, 2, 1), nn.Sigmoid(),
    )  # fmt: skip
    x = F.interpolate(torch.rand(8, 1, 7, 7).round(), scale_factor=4)
    return model, (x, x), regress


@architecture("torch-temporal-convolution", LIBRARY)
def temporal_convolution() -> Built:
    layers: list[nn.Module] = []
    for dilation in (1, 2, 4, 8):
        width = 8 if dilation == 1 else 32
        layers += [nn.Conv1d(width, 32, 3, padding=dilation, dilation=dilation), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, 10))
    return model, (torch.randn(8, 8, 64), labels(8)), classify


@architecture("torch-conv3d", LIBRARY)
def conv3d() -> Built:
    model = nn.Sequential(
        nn.Conv3d(1, 8, 3, padding=1), nn.GroupNorm(4, 8), nn.ReLU(), nn.MaxPool3d(2),
        nn.Conv3d(8, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.ReLU(), nn.AdaptiveAvgPool3d(1),
        nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    return model, (torch.randn(8, 1, 12, 12, 12), labels(8)), classify


@architecture("torch-embedding-bag", LIBRARY)
def embedding_bag() -> Built:
    model = nn.Sequential(nn.EmbeddingBag(1000, 32), nn.Linear(32, 10))
    return model, (labels(8, 16, classes=1000), labels(8)), classify


@architecture("torch-bilinear-recommender", LIBRARY)
def bilinear_recommender() -> Built:
    class Recommender(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.users, self.items = nn.Embedding(50, 16), nn.Embedding(80, 16)
            self.match = nn.Bilinear(16, 16, 1)

        def forward(self, user: torch.Tensor, item: torch.Tensor) -> torch.Tensor:
            return self.match(self.users(user), self.items(item)).squeeze(-1)

    return Recommender(), (labels(32, classes=50), labels(32, classes=80), torch.rand(32) * 4 + 1), regress
