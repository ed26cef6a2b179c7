"""Smaller libraries: language models, series, tables, flows, operators, molecules."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .misc_zoo import First, numbers, regress, sentences, table, waves, x_transformer
from .registry import Built, architecture

Batch = tuple[torch.Tensor, ...]
TOKENS, WIDTH = 50, 48


def same_place(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Cross-entropy of the next token, for a model that wants a certain length."""
    (ids,) = batch
    logits = model(ids)
    logits = logits[0] if isinstance(logits, tuple) else logits
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())


# --- language models ---------------------------------------------------------------------------


def language(
    name: str, library: str, path: str, length: int = 16, learning_rate: float = 1e-3, **settings: Any
) -> None:
    """A model named `module:Class` that turns tokens into logits."""

    @architecture(name, library, learning_rate)
    def build() -> Built:
        module, cls = path.split(":")
        return getattr(import_module(module), cls)(**settings).train(), sentences(length), same_place


HEADS = {"heads": 4, "dim_head": 12}
BODY = {"num_tokens": TOKENS, "dim": WIDTH, "depth": 2}
language(
    "linear-attention-transformer",
    "linear-attention-transformer",
    "linear_attention_transformer:LinearAttentionTransformerLM",
    **BODY,
    **HEADS,
    max_seq_len=16,
    causal=True,
    blindspot_size=1,
)
language(
    "reformer-pytorch",
    "reformer-pytorch",
    "reformer_pytorch:ReformerLM",
    **BODY,
    **HEADS,
    max_seq_len=16,
    bucket_size=4,
    n_hashes=2,
    causal=True,
    ff_chunks=1,
)
language(
    "local-attention",
    "local-attention",
    "local_attention:LocalTransformer",
    **BODY,
    **HEADS,
    max_seq_len=16,
    local_attn_window_size=8,
)
language("gateloop", "gateloop-transformer", "gateloop_transformer:Transformer", **BODY, **HEADS)
language(
    "hourglass-transformer",
    "hourglass-transformer-pytorch",
    "hourglass_transformer_pytorch:HourglassTransformerLM",
    **BODY | {"depth": (1, 2, 1)},
    **HEADS,
    max_seq_len=16,
    shorten_factor=2,
    causal=True,
)
language(
    "mega",
    "mega-pytorch",
    "mega_pytorch:Mega",
    **BODY,
    ema_heads=4,
    attn_dim_qk=16,
    attn_dim_value=64,
    laplacian_attn_fn=False,
)
language("palm", "palm-pytorch", "palm_pytorch:PaLM", **BODY, **HEADS)
language("g-mlp-language", "g-mlp-pytorch", "g_mlp_pytorch:gMLP", **BODY, seq_len=16, causal=True)

for option, settings in {
    "laser": {"attn_laser": True},
    "squared-relu": {"ff_relu_squared": True},
    "residual-attention": {"residual_attn": True},
    "scale-residual": {"scale_residual": True},
    "dynamic-position-bias": {"dynamic_pos_bias": True, "dynamic_pos_bias_log_distance": False},
    "memory-keys": {"attn_num_mem_kv": 4},
    "value-gate": {"attn_gate_values": True},
    "hyper-connections": {"num_residual_streams": 2},
    "layer-scale": {"use_layerscale": True},
    "sigmoid-attention": {"attn_sigmoid": True},
}.items():
    x_transformer(option, **settings)


@architecture("x-transformers-encoder-decoder", "x-transformers")
def x_transformers_seq2seq() -> Built:
    from x_transformers import XTransformer

    side = {"num_tokens": TOKENS, "depth": 2, "heads": 4, "max_seq_len": 32}
    settings = {f"{prefix}_{key}": value for prefix in ("enc", "dec") for key, value in side.items()}
    model = XTransformer(dim=WIDTH, tie_token_emb=True, **settings)
    return model, sentences(12) + sentences(17), lambda m, b: m(*b)


def stacked(kinds: str) -> Any:
    """A stack of xLSTM blocks, m for mLSTM and s for sLSTM, with the language model's head."""
    from xlstm import (
        FeedForwardConfig,
        mLSTMBlockConfig,
        mLSTMLayerConfig,
        sLSTMBlockConfig,
        sLSTMLayerConfig,
        xLSTMLMModel,
        xLSTMLMModelConfig,
    )

    matrix = mLSTMBlockConfig(mlstm=mLSTMLayerConfig(conv1d_kernel_size=4, qkv_proj_blocksize=4, num_heads=4))
    scalar = sLSTMBlockConfig(
        slstm=sLSTMLayerConfig(backend="vanilla", num_heads=4, conv1d_kernel_size=4),
        feedforward=FeedForwardConfig(proj_factor=1.3, act_fn="gelu"),
    )
    config = xLSTMLMModelConfig(
        vocab_size=TOKENS,
        mlstm_block=matrix if "m" in kinds else None,
        slstm_block=scalar if "s" in kinds else None,
        context_length=16,
        num_blocks=len(kinds),
        embedding_dim=WIDTH,
        slstm_at=[place for place, kind in enumerate(kinds) if kind == "s"],
    )
    return xLSTMLMModel(config)


for stack in ("mm", "sm"):

    @architecture(f"xlstm-{stack}", "xlstm")
    def _xlstm(kinds: str = stack) -> Built:
        return stacked(kinds), sentences(16), same_place


@architecture("retnet", "torchscale")
def retnet() -> Built:
    from torchscale.architecture.config import RetNetConfig
    from torchscale.architecture.retnet import RetNetDecoder

    sizes = {"embed_dim": WIDTH, "value_embed_dim": 96, "retention_heads": 4, "ffn_embed_dim": 96, "layers": 2}
    config = RetNetConfig(vocab_size=TOKENS, **{f"decoder_{key}": value for key, value in sizes.items()})
    return RetNetDecoder(config, embed_tokens=nn.Embedding(TOKENS, WIDTH)), sentences(16), same_place


# --- series --------------------------------------------------------------------------------------


@architecture("temporal-convolution", "pytorch-tcn", learning_rate=3e-3)
def temporal_convolution() -> Built:
    from pytorch_tcn import TCN

    body = TCN(2, [24, 24, 24], kernel_size=3, dropout=0.1, input_shape="NLC", use_skip_connections=True)
    return First(body, 24, 1), waves(), regress


@architecture("s5", "s5-pytorch", learning_rate=3e-3)
def s5() -> Built:
    from s5 import S5Block

    body = nn.Sequential(nn.Linear(2, 32), S5Block(32, 32, bidir=False), S5Block(32, 32, bidir=False))
    return First(body, 32, 1), waves(), regress


@architecture("itransformer", "itransformer")
def inverted_transformer() -> Built:
    from iTransformer import iTransformer

    sizes = {"dim": 32, "depth": 2, "heads": 4, "dim_head": 8}
    model = iTransformer(num_variates=3, lookback_len=24, pred_length=6, num_tokens_per_variate=1, **sizes)
    series = (torch.arange(30)[:, None] * torch.rand(8, 1, 3)).sin()
    return model, (series[:, :24], series[:, 24:]), regress


@architecture("neural-cde", "torchcde", learning_rate=3e-3)
def neural_cde() -> Built:
    import torchcde

    class Controlled(nn.Module):
        """A state that a spline through the data drives."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.head = nn.Linear(3, 8), nn.Linear(8, 1)
            self.field = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 24), nn.Tanh())

        def forward(self, coefficients: torch.Tensor) -> torch.Tensor:
            path = torchcde.CubicSpline(coefficients)
            states = torchcde.cdeint(
                path,
                lambda t, z: self.field(z).unflatten(-1, (8, 3)),
                self.first(path.evaluate(path.interval[0])),
                path.interval,
                adjoint=False,
                method="rk4",
                options={"step_size": 2.0},
            )
            return self.head(states[:, -1])

    signal, target = waves()
    times = torch.linspace(0, 1, signal.shape[1]).expand(len(signal), -1)[..., None]
    coefficients = torchcde.hermite_cubic_coefficients_with_backward_differences(torch.cat([times, signal], -1))
    return Controlled(), (coefficients, target[:, -1]), regress


# --- tables --------------------------------------------------------------------


@architecture("tabm", "tabm")
def tabm() -> Built:
    from tabm import TabM

    model = TabM.make(n_num_features=8, cat_cardinalities=[4, 4], d_out=1, n_blocks=2, d_block=64, k=8, dropout=0.1)

    def ensemble(model: nn.Module, batch: Batch) -> torch.Tensor:
        columns, kinds, targets = batch
        predicted = model(columns, kinds)
        return F.mse_loss(predicted, targets[:, None].expand_as(predicted))

    return model, table(), ensemble


@architecture("numerical-embeddings", "rtdl-num-embeddings")
def numerical_embeddings() -> Built:
    from rtdl_num_embeddings import PeriodicEmbeddings

    embeddings = PeriodicEmbeddings(8, 12, n_frequencies=8, frequency_init_scale=0.1, lite=False)
    layers = [nn.Flatten(), nn.Linear(96, 64), nn.ReLU(), nn.Linear(64, 1)]
    return nn.Sequential(embeddings, *layers), numbers(), regress


for tabular in ("TabTransformer", "FTTransformer"):

    @architecture(f"tab-transformer-{tabular[:-11].lower()}", "tab-transformer-pytorch")
    def _tabular(kind: str = tabular) -> Built:
        import tab_transformer_pytorch

        cls = getattr(tab_transformer_pytorch, kind)
        extra = {"mlp_act": nn.ReLU()} if kind == "TabTransformer" else {}
        columns, kinds, targets = table()
        return (
            cls(categories=(4, 4), num_continuous=8, dim=32, depth=2, heads=4, **extra),
            (kinds, columns, targets),
            regress,
        )


# --- flows -------------------------------------------------------------------------------------


def flow(name: str, library: str, make: Callable[[], nn.Module], score: Callable[[Any, torch.Tensor], Any]) -> None:
    """A normalising flow under its own likelihood, on a bent line."""

    @architecture(f"{library}-{name}", library, learning_rate=5e-3)
    def build() -> Built:
        x = torch.randn(64, 1)
        bent = torch.cat([x, x.sin() * 2, x**2 - 1, x.cos()], -1) + 0.2 * torch.randn(64, 4)
        return make(), (bent,), lambda m, b: score(m, b[0])


def autoregressive() -> Any:
    from nflows.flows import MaskedAutoregressiveFlow

    return MaskedAutoregressiveFlow(4, hidden_features=32, num_layers=3, num_blocks_per_layer=2)


def coupled() -> Any:
    from nflows.flows import SimpleRealNVP

    return SimpleRealNVP(4, hidden_features=32, num_layers=4, num_blocks_per_layer=2)


def splines() -> Any:
    from nflows.distributions import StandardNormal
    from nflows.flows import Flow
    from nflows.transforms import (
        CompositeTransform,
        MaskedPiecewiseRationalQuadraticAutoregressiveTransform,
        ReversePermutation,
    )

    spline = {"hidden_features": 32, "num_bins": 6, "tails": "linear", "tail_bound": 4.0}
    layers: list[Any] = []
    for _ in range(2):
        layers += [MaskedPiecewiseRationalQuadraticAutoregressiveTransform(features=4, **spline), ReversePermutation(4)]
    return Flow(CompositeTransform(layers), StandardNormal([4]))


def composed(kind: str) -> Any:
    import normflows

    steps: list[Any] = []
    for _ in range(4):
        if kind == "planar":
            steps.append(normflows.flows.Planar((4,)))
        elif kind == "residual":
            network = normflows.nets.LipschitzMLP([4, 32, 32, 4], init_zeros=True, lipschitz_const=0.9)
            steps.append(normflows.flows.Residual(network, reduce_memory=False))
        else:
            network = normflows.nets.MLP([2, 32, 32, 4], init_zeros=True)
            steps += [normflows.flows.AffineCouplingBlock(network), normflows.flows.Permute(4, mode="swap")]
    return normflows.NormalizingFlow(normflows.distributions.DiagGaussian(4), steps)


def nflows_likelihood(model: Any, x: torch.Tensor) -> torch.Tensor:
    return -model.log_prob(x).mean()


def forward_divergence(model: Any, x: torch.Tensor) -> torch.Tensor:
    return model.forward_kld(x)


flow("maf", "nflows", autoregressive, nflows_likelihood)
flow("real-nvp", "nflows", coupled, nflows_likelihood)
flow("spline", "nflows", splines, nflows_likelihood)
flow("real-nvp", "normflows", lambda: composed("affine"), forward_divergence)
flow("residual", "normflows", lambda: composed("residual"), forward_divergence)

# --- operators and molecules -------------------------------------------------------------------------


def operator(name: str, model: str, **settings: Any) -> None:
    """Learn the map from a field to its smoothed square, on a grid."""

    @architecture(f"neuralop-{name}", "neuraloperator")
    def build() -> Built:
        import neuralop.models

        fields = F.interpolate(torch.randn(4, 1, 4, 4), size=(16, 16), mode="bicubic")
        targets = F.avg_pool2d(F.pad(fields**2, (1, 1, 1, 1), "circular"), 3, 1)
        return getattr(neuralop.models, model)(in_channels=1, out_channels=1, **settings), (fields, targets), regress


operator("fno", "FNO", n_modes=(6, 6), hidden_channels=16, n_layers=3)
operator("tfno", "TFNO", n_modes=(6, 6), hidden_channels=16, n_layers=3, rank=0.5)
operator(
    "uno",
    "UNO",
    hidden_channels=16,
    n_layers=3,
    uno_out_channels=[16, 16, 16],
    uno_n_modes=[[4, 4]] * 3,
    uno_scalings=[[1, 1], [0.5, 0.5], [2, 2]],
    channel_mlp_skip="linear",
)


@architecture("e3nn-network", "e3nn", learning_rate=5e-3)
def equivariant() -> Built:
    from e3nn import o3
    from e3nn.math import soft_one_hot_linspace
    from e3nn.nn import FullyConnectedNet, Gate

    class Convolution(nn.Module):
        """Messages along edges: features times spherical harmonics, weighted by the distance."""

        def __init__(self, inputs: Any, outputs: Any) -> None:
            super().__init__()
            harmonics = o3.Irreps.spherical_harmonics(1)
            self.product = o3.FullyConnectedTensorProduct(inputs, harmonics, outputs, shared_weights=False)
            self.weights = FullyConnectedNet([8, 16, self.product.weight_numel], torch.nn.functional.silu)

        def forward(self, x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
            offsets = places[:, None] - places[:, :, None]
            harmonics = o3.spherical_harmonics([0, 1], offsets, True, "component")
            near = soft_one_hot_linspace(offsets.norm(dim=-1), 0.0, 4.0, 8, "gaussian", False) * 8**0.5
            sent = x[:, None].expand(-1, x.shape[1], -1, -1)
            return self.product(sent, harmonics, self.weights(near)).sum(2) / x.shape[1] ** 0.5

    class Energy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(4, 8)
            self.gate = Gate("16x0e", [F.silu], "8x0e", [torch.sigmoid], "8x1o")
            self.first = Convolution("8x0e", self.gate.irreps_in)
            self.second = Convolution(self.gate.irreps_out, "8x0e")
            self.head = nn.Linear(8, 1)

        def forward(self, kinds: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
            hidden = self.gate(self.first(self.embed(kinds), places))
            return self.head(self.second(hidden, places).mean(1))

    places = torch.randn(8, 6, 3)
    return Energy(), (torch.randint(4, (8, 6)), places, places.norm(dim=-1).mean(1, keepdim=True)), regress
