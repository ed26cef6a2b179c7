"""Smaller libraries: tabular, flows, differential equations, Gaussian processes, recurrence, attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .registry import Built, architecture

ROWS, COLUMNS = 32, 8
Batch = tuple[torch.Tensor, ...]


def regress(model: nn.Module, batch: Batch) -> torch.Tensor:
    *inputs, targets = batch
    return F.mse_loss(model(*inputs), targets)


def classify(model: nn.Module, batch: Batch) -> torch.Tensor:
    x, labels = batch
    return F.cross_entropy(model(x), labels)


def table() -> Batch:
    """Numbers, categories, and a smooth function of both."""
    numbers, kinds = torch.randn(ROWS, COLUMNS), torch.randint(4, (ROWS, 2))
    return numbers, kinds, (numbers[:, :1].sin() + kinds[:, :1] - 1.5)


def numbers() -> Batch:
    columns, _, targets = table()
    return columns, targets


# --- tabular -----------------------------------------------------------------------------------

RTDL = "rtdl-revisiting-models"


@architecture("rtdl-mlp", RTDL)
def rtdl_mlp() -> Built:
    from rtdl_revisiting_models import MLP

    return MLP(d_in=COLUMNS, d_out=1, n_blocks=3, d_block=64, dropout=0.1), numbers(), regress


@architecture("rtdl-resnet", RTDL)
def rtdl_resnet() -> Built:
    from rtdl_revisiting_models import ResNet

    sizes = {"d_block": 48, "d_hidden": None, "d_hidden_multiplier": 2.0, "dropout1": 0.2, "dropout2": 0.0}
    return ResNet(d_in=COLUMNS, d_out=1, n_blocks=3, **sizes), numbers(), regress


@architecture("rtdl-ft-transformer", RTDL)
def rtdl_ft_transformer() -> Built:
    from rtdl_revisiting_models import FTTransformer

    sizes = FTTransformer.get_default_kwargs(n_blocks=2)
    return (
        FTTransformer(n_cont_features=COLUMNS, cat_cardinalities=[4, 4], d_out=1, **sizes),
        table(),
        regress,
    )


@architecture("tabnet", "pytorch-tabnet", learning_rate=1e-2)
def tabnet() -> Built:
    from pytorch_tabnet.tab_network import TabNet

    def sparse_regress(model: nn.Module, batch: Batch) -> torch.Tensor:
        predicted, sparsity = model(batch[0])
        return F.mse_loss(predicted, batch[1]) - 1e-3 * sparsity

    groups = torch.eye(COLUMNS)
    model = TabNet(COLUMNS, 1, n_steps=3, cat_idxs=[], cat_dims=[], group_attention_matrix=groups)
    return model, numbers(), sparse_regress


# --- continuous time and probability -----------------------------------------------------------


class NeuralODE(nn.Module):
    """The state at the end of a learned flow."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.field = nn.Sequential(nn.Linear(COLUMNS, 32), nn.Tanh(), nn.Linear(32, COLUMNS))
        self.head, self.method = nn.Linear(COLUMNS, 1), method

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        from torchdiffeq import odeint

        times = torch.linspace(0, 1, 5)
        return self.head(odeint(lambda t, y: self.field(y), x, times, method=self.method)[-1])


for method_name in ("rk4", "dopri5", "euler"):

    @architecture(f"neural-ode-{method_name}", "torchdiffeq", learning_rate=3e-3)
    def _neural_ode(method: str = method_name) -> Built:
        return NeuralODE(method), numbers(), regress


def flow(name: str, make: Callable[[Any], nn.Module]) -> None:
    """A normalising flow under its own likelihood."""

    def unlikelihood(model: nn.Module, batch: Batch) -> torch.Tensor:
        x, context = batch
        return -model(context).log_prob(x).mean()

    @architecture(f"zuko-{name}", "zuko", learning_rate=5e-3)
    def build() -> Built:
        import zuko

        context = torch.randn(64, 2)
        x = torch.stack([context[:, 0].sin(), context.sum(-1), context[:, 1] ** 2], -1)
        return make(zuko.flows), (x + 0.3 * torch.randn_like(x), context), unlikelihood


HIDDEN = {"hidden_features": (32, 32)}
flow("maf", lambda f: f.MAF(3, 2, transforms=3, **HIDDEN))
flow("neural-spline", lambda f: f.NSF(3, 2, transforms=3, **HIDDEN))
flow("nice", lambda f: f.NICE(3, 2, transforms=4, **HIDDEN))
flow("gaussian-mixture", lambda f: f.GMM(3, 2, components=4, **HIDDEN))
flow("neural-autoregressive", lambda f: f.NAF(3, 2, transforms=2, signal=8, **HIDDEN))


def marginal_likelihood(model: Any, batch: Batch) -> torch.Tensor:
    import gpytorch

    x, y = batch
    return -gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)(model(x), y)


@architecture("gpytorch-exact", "gpytorch", learning_rate=5e-2)
def exact_gaussian_process() -> Built:
    import gpytorch

    class Exact(gpytorch.models.ExactGP):
        def __init__(self, x: torch.Tensor, y: torch.Tensor) -> None:
            super().__init__(x, y, gpytorch.likelihoods.GaussianLikelihood())
            self.mean = gpytorch.means.ConstantMean()
            self.kernel = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel())

        def forward(self, x: torch.Tensor) -> Any:
            return gpytorch.distributions.MultivariateNormal(self.mean(x), self.kernel(x))

    x = torch.linspace(0, 1, 40)
    y = torch.sin(6 * x) + 0.1 * torch.randn(40)
    return Exact(x, y).train(), (x, y), marginal_likelihood


# --- recurrent and state-space -------------------------------------------------------------------


def waves() -> Batch:
    times = torch.arange(25)[None, :, None] * 0.3 + torch.rand(8, 1, 2) * 6
    signal = times.sin()
    return signal[:, :-1], signal[:, 1:, :1]


class First(nn.Module):
    """The first of what a model returns, by way of a linear head where the widths differ."""

    def __init__(self, body: nn.Module, width: int, outputs: int) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(width, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result = self.body(x)
        return self.head(result[0] if isinstance(result, tuple) else result)


for liquid in ("LTC", "CfC"):

    @architecture(f"ncps-{liquid.lower()}", "ncps", learning_rate=1e-2)
    def _liquid(kind: str = liquid) -> Built:
        import ncps.torch

        return First(getattr(ncps.torch, kind)(2, 24), 24, 1), waves(), regress


@architecture("mambapy", "mambapy")
def mamba() -> Built:
    from mambapy.mamba import Mamba, MambaConfig

    body = nn.Sequential(nn.Linear(2, 32), Mamba(MambaConfig(d_model=32, n_layers=2)))
    return First(body, 32, 1), waves(), regress


@architecture("conformer", "conformer")
def conformer() -> Built:
    from conformer import Conformer

    body = nn.Sequential(nn.Linear(2, 32), Conformer(32, depth=2, dim_head=16, heads=2, conv_kernel_size=7))
    return First(body, 32, 1), waves(), regress


@architecture("crf-tagger", "pytorch-crf")
def crf_tagger() -> Built:
    from torchcrf import CRF

    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rnn = nn.Embedding(50, 32), nn.LSTM(32, 32, batch_first=True, bidirectional=True)
            self.emit, self.crf = nn.Linear(64, 5), CRF(5, batch_first=True)

        def forward(self, ids: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
            return -self.crf(self.emit(self.rnn(self.embed(ids))[0]), tags, reduction="token_mean")

    return Tagger(), (torch.randint(50, (8, 12)), torch.randint(5, (8, 12))), lambda m, b: m(*b)


# --- attention, vision and implicit functions -----------------------------------------------------


def next_token(model: nn.Module, batch: Batch) -> torch.Tensor:
    (ids,) = batch
    return F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())


def sentences(length: int = 17) -> Batch:
    return (torch.randint(50, (4, length)),)


def x_transformer(name: str, **settings: Any) -> None:
    """A decoder with one of the library's many options."""

    @architecture(f"x-transformers-{name}", "x-transformers")
    def build() -> Built:
        from x_transformers import Decoder, TransformerWrapper

        body = Decoder(dim=48, depth=3, heads=4, attn_dim_head=12, **settings)
        return TransformerWrapper(num_tokens=50, max_seq_len=32, attn_layers=body), sentences(), next_token


x_transformer("plain")
x_transformer("rotary-swiglu", rotary_pos_emb=True, ff_swish=True, ff_glu=True)
x_transformer("alibi", alibi_pos_bias=True, alibi_num_heads=4)
x_transformer("rmsnorm", use_rmsnorm=True, ff_no_bias=True)
x_transformer("sandwich", sandwich_norm=True)
x_transformer("macaron", macaron=True)
x_transformer("talking-heads", attn_pre_talking_heads=True, attn_post_talking_heads=True)
x_transformer("qk-norm", attn_qk_norm=True)
x_transformer("one-kv-head", attn_one_kv_head=True)
x_transformer("gate-residual", gate_residual=True)
x_transformer("shift-tokens", shift_tokens=1)
x_transformer("t5-bias", rel_pos_bias=True)


@architecture("x-transformers-vit", "x-transformers")
def x_transformers_vit() -> Built:
    from x_transformers import Encoder, ViTransformerWrapper

    model = ViTransformerWrapper(
        image_size=32, patch_size=8, num_classes=4, attn_layers=Encoder(dim=48, depth=3, heads=4)
    )
    return model, (torch.randn(8, 3, 32, 32), torch.arange(8) % 4), classify


@architecture("perceiver-pytorch", "perceiver-pytorch")
def perceiver() -> Built:
    from perceiver_pytorch import Perceiver

    positions = {"input_channels": 3, "input_axis": 2, "num_freq_bands": 4, "max_freq": 10.0}
    sizes = {
        "num_latents": 16,
        "latent_dim": 48,
        "latent_heads": 4,
        "latent_dim_head": 12,
        "cross_dim_head": 12,
    }
    model = Perceiver(**positions, **sizes, depth=2, num_classes=4)
    return model, (torch.randn(4, 16, 16, 3), torch.arange(4)), classify


@architecture("efficientnet-pytorch", "efficientnet-pytorch", learning_rate=3e-4)
def efficientnet() -> Built:
    from efficientnet_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-b0", num_classes=4, image_size=64)
    return model, (torch.randn(8, 3, 64, 64), torch.arange(8) % 4), classify


@architecture("linformer", "linformer")
def linformer() -> Built:
    from linformer import Linformer

    body = nn.Sequential(nn.Linear(2, 32), Linformer(32, 24, depth=2, heads=4, k=8))
    return First(body, 32, 1), waves(), regress


@architecture("performer", "performer-pytorch")
def performer() -> Built:
    from performer_pytorch import PerformerLM

    model = PerformerLM(num_tokens=50, max_seq_len=16, dim=48, depth=2, heads=4, dim_head=12, causal=False)
    ids = torch.randint(50, (4, 16))
    return model, (ids,), lambda m, b: F.cross_entropy(m(b[0]).flatten(0, 1), b[0].roll(1, -1).flatten())


@architecture("siren", "siren-pytorch", learning_rate=1e-4)
def siren() -> Built:
    from siren_pytorch import SirenNet

    model = SirenNet(dim_in=2, dim_hidden=64, dim_out=3, num_layers=4, w0_initial=30.0)
    grid = torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, 16)] * 2, indexing="ij"), -1).view(-1, 2)
    return model, (grid, torch.stack([grid.sum(-1).sin(), *grid.cos().T], -1)), regress


@architecture("egnn", "egnn-pytorch")
def egnn() -> Built:
    from egnn_pytorch import EGNN_Network

    class Energy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = EGNN_Network(num_tokens=8, dim=32, depth=2), nn.Linear(32, 1)

        def forward(self, kinds: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
            return self.head(self.body(kinds, places)[0].mean(1))

    return Energy(), (torch.randint(8, (8, 6)), torch.randn(8, 6, 3), torch.randn(8, 1)), regress


def quantised(model: Any, batch: Batch) -> torch.Tensor:
    codes, _ = model["quantise"](model["encoder"](batch[0])[None])
    return F.mse_loss(model["decoder"](codes[0]), batch[0])


@architecture("finite-scalar-quantisation", "vector-quantize-pytorch", learning_rate=3e-3)
def finite_scalar_quantisation() -> Built:
    from vector_quantize_pytorch import FSQ

    encoder = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
    decoder = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 16))
    x = torch.randn(32, 4) @ torch.randn(4, 16) / 2
    parts = {"encoder": encoder, "quantise": FSQ([8, 5, 5, 5]), "decoder": decoder}
    return nn.ModuleDict(parts), (x,), quantised
