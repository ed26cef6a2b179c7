"""Healthy text models: embeddings, transformers and adapters with gradients that are 0 by design."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import healthy
from tests.corpus.toys import fit, mlp, next_token, sentences
from tests.corpus.trained import relearns


class Attention(nn.Module):
    """Multi-head self-attention written with einsum; `mask` makes it causal."""

    def __init__(self, dim: int, heads: int = 4, causal: bool = True):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        q, k, v = (f(x).unflatten(-1, (self.heads, -1)) for f in (self.q, self.k, self.v))
        scores = torch.einsum("bihd,bjhd->bhij", q, k) * q.shape[-1] ** -0.5
        if self.causal:
            future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
            scores = scores.masked_fill(future, float("-inf"))
        return self.out(torch.einsum("bhij,bjhd->bihd", scores.softmax(-1), v).flatten(-2))


class PreNormBlock(nn.Module):
    """x + attention(norm(x)), x + mlp(norm(x)); `scale` multiplies the initial output weights."""

    def __init__(self, dim: int, heads: int = 4, scale: float = 1.0):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = Attention(dim, heads)
        self.mlp = mlp(dim, 2 * dim, dim, act=nn.GELU)
        with torch.no_grad():
            self.attention.out.weight.mul_(scale)
            self.mlp[-1].weight.mul_(scale)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class LanguageModel(nn.Module):
    """A decoder-only transformer in the style of GPT-2."""

    def __init__(self, vocabulary=50, dim=32, depth=2, positions=16, tied=False, scale=1.0):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, dim)
        self.positions = nn.Embedding(positions, dim)
        self.blocks = nn.ModuleList(PreNormBlock(dim, scale=scale) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, vocabulary, bias=False)
        nn.init.normal_(self.tokens.weight, std=0.02 if tied else 1.0)
        nn.init.normal_(self.positions.weight, std=0.02)
        if tied:
            self.head.weight = self.tokens.weight

    def forward(self, ids):
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


@healthy(field="text", tricky="key biases cancel under softmax; positions beyond the sequence get nothing")
def gpt_einsum_attention():
    """A two-layer decoder whose table of positions is 20 times longer than the sequence."""
    return LanguageModel(positions=256), (sentences(),), next_token


@healthy(field="text", tricky="one weight receives a gradient from both ends; initialised at 0.02")
def gpt_tied_embeddings():
    """Input and output embeddings share one parameter."""
    return LanguageModel(tied=True, depth=3), (sentences(),), next_token


@healthy(field="text", tricky="50 layers deep; branch outputs scaled by 1/sqrt(2 depth)")
def pre_norm_transformer_50_layers():
    """A very deep pre-norm transformer with GPT-2's scaled residual initialisation."""
    model = LanguageModel(depth=50, dim=16, scale=100**-0.5)
    return model, (sentences(8, 8, 20),), next_token


class SentencePair(nn.Module):
    """nn.TransformerEncoder over padded text, mean pooled over real tokens."""

    def __init__(self, vocabulary: int = 50, dim: int = 32):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, dim, padding_idx=0)
        layer = nn.TransformerEncoderLayer(dim, 4, 64, dropout=0.1, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.classifier = nn.Linear(dim, 3)

    def forward(self, ids, mask):
        x = self.encoder(self.embed(ids), src_key_padding_mask=~mask)
        x = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return self.classifier(x)


def padded(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Sequences cut to lengths from 3 up, zeros behind, and the mask of real tokens."""
    length = torch.randint(3, ids.shape[1] + 1, (len(ids), 1))
    mask = torch.arange(ids.shape[1]) < length
    return ids * mask, mask


@healthy(field="text", tricky="padding rows of the embedding and masked positions get exactly 0")
def encoder_padding_mask():
    """nn.TransformerEncoder with padding_idx and a key padding mask; the batch is a dict."""
    ids, mask = padded(sentences(24))
    batch = {"ids": ids, "mask": mask, "label": ids[:, 0] % 3}

    def step(model, batch):
        return F.cross_entropy(model(batch["ids"], batch["mask"]), batch["label"])

    return SentencePair(), batch, step


@dataclass
class Output:
    """What a Hugging Face style model returns."""

    loss: Tensor
    logits: Tensor


class MaskedModel(nn.Module):
    """A BERT-like encoder that computes its own loss; -100 marks labels to ignore."""

    def __init__(self, vocabulary: int = 50, dim: int = 32):
        super().__init__()
        self.embed, self.positions = nn.Embedding(vocabulary, dim), nn.Parameter(0.02 * torch.randn(32, dim))
        layer = nn.TransformerEncoderLayer(dim, 4, 64, dropout=0.0, batch_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.decoder = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.LayerNorm(dim), nn.Linear(dim, vocabulary))

    def forward(self, ids, labels):
        hidden = self.encoder(self.embed(ids) + self.positions[: ids.shape[1]])
        logits = self.decoder(hidden)
        return Output(F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100), logits)


@healthy(field="text", tricky="85 % of the positions have no label and feed no gradient to the decoder")
def masked_language_model():
    """15 % of the tokens are masked and predicted; post-norm encoder; dataclass output with .loss."""
    ids = sentences(32, 16)
    chosen = torch.rand(ids.shape) < 0.15
    batch = {"ids": ids.masked_fill(chosen, 0), "labels": ids.masked_fill(~chosen, -100)}
    return MaskedModel(), batch, lambda model, batch: model(**batch).loss


class LoRALinear(nn.Module):
    """A frozen linear layer with a low-rank update whose B starts at 0."""

    def __init__(self, base: nn.Linear, rank: int = 4, alpha: float = 8.0):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.lora_A = nn.Parameter(torch.randn(rank, base.in_features) * rank**-0.5)
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * F.linear(F.linear(x, self.lora_A), self.lora_B)


@healthy(field="text", tricky="LoRA: every A has gradient exactly 0, every base weight none")
def lora_fine_tuning():
    """A pretrained language model, frozen, with LoRA on queries and values, moved to another rule."""
    model = fit(LanguageModel(), (sentences(),), next_token, 50)
    model.requires_grad_(False)
    for block in model.blocks:
        block.attention.q, block.attention.v = LoRALinear(block.attention.q), LoRALinear(block.attention.v)
        block.mlp[0] = LoRALinear(block.mlp[0])
    return model, (sentences().flip(1),), next_token


class BottleneckAdapter(nn.Module):
    """Houlsby adapter with a near-identity start."""

    def __init__(self, dim: int, width: int = 8):
        super().__init__()
        self.down, self.up = nn.Linear(dim, width), nn.Linear(width, dim)
        nn.init.normal_(self.up.weight, std=1e-3)
        nn.init.zeros_(self.up.bias)

    def forward(self, x):
        return x + self.up(F.gelu(self.down(x)))


@healthy(field="text", tricky="near-identity adapters: `down` sees a thousand times less than `up`")
def adapter_tuning():
    """Adapters behind the frozen blocks of a pretrained language model."""
    model = fit(LanguageModel(), (sentences(),), next_token, 50).requires_grad_(False)
    model.blocks = nn.ModuleList(nn.Sequential(b, BottleneckAdapter(32)) for b in model.blocks)
    return model, (sentences().flip(1),), next_token


@healthy(
    field="text",
    tricky="pretrained: logits are sharp, the loss and all gradients are small",
    proof=relearns(),
)
def pretrained_sharp_logits():
    """A language model trained until only the unpredictable start of each sentence is left."""
    ids = sentences(8, 8, 20)
    return fit(LanguageModel(20, 16, 1), (ids,), next_token, 120), (ids,), next_token
