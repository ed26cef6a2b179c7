"""Healthy text models: embeddings, transformers and adapters with gradients that are 0 by design."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import healthy
from tests.corpus.provers import Recipe
from tests.corpus.toys import fit, mlp, next_token, sentences
from tests.corpus.trained import relearns, trains


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
        self.decoder = nn.Sequential(
            nn.Linear(dim, dim), nn.GELU(), nn.LayerNorm(dim), nn.Linear(dim, vocabulary)
        )

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


class BagOfWords(nn.Module):
    """EmbeddingBag over a large vocabulary and a linear classifier."""

    def __init__(self, vocabulary: int, sparse: bool):
        super().__init__()
        self.bag = nn.EmbeddingBag(vocabulary, 16, mode="mean", sparse=sparse)
        self.head = mlp(16, 16, 3)

    def forward(self, ids):
        return self.head(self.bag(ids))


def classify_ids(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Cross entropy over whole documents."""
    return F.cross_entropy(model(batch[0]), batch[1])


@healthy(field="text", tricky="50,000 rows of which 191 are used: the mean |gradient| is below 1e-6")
def embedding_few_rows_used():
    """fastText-like classification; most rows of the table are not in this batch."""
    ids = torch.randint(0, 50_000, (32, 6))
    return BagOfWords(50_000, sparse=False), (ids, ids[:, 0] % 3), classify_ids


@healthy(
    field="text",
    tricky="the embedding's gradient is a sparse tensor",
    proof=trains(recipes=(Recipe("sgd", 1.0, 300),)),
)
def embedding_sparse_gradient():
    """nn.EmbeddingBag(sparse=True), to be trained by SGD or SparseAdam."""
    ids = torch.randint(0, 2_000, (32, 6))
    return BagOfWords(2_000, sparse=True), (ids, ids[:, 0] % 3), classify_ids


class GloVeTagger(nn.Module):
    """A tagger on fixed word vectors: convolution over the sentence, one tag a word."""

    def __init__(self, vectors: Tensor):
        super().__init__()
        self.embed = nn.Embedding.from_pretrained(vectors, freeze=True, padding_idx=0)
        self.conv = nn.Conv1d(vectors.shape[1], 32, 3, padding=1)
        self.tag = nn.Linear(32, 5)

    def forward(self, ids):
        return self.tag(F.relu(self.conv(self.embed(ids).mT)).mT)


@healthy(field="text", tricky="frozen embeddings and ignored padding labels")
def tagger_frozen_vectors():
    """Second-hand word vectors stay fixed; padded words carry the label -100."""
    ids, mask = padded(sentences(24))
    tags = (ids % 5).masked_fill(~mask, -100)
    return GloVeTagger(torch.randn(50, 24)), (ids, tags), lambda m, b: F.cross_entropy(m(b[0]).mT, b[1])


class Translator(nn.Module):
    """GRU encoder, GRU decoder with additive attention and teacher forcing."""

    def __init__(self, vocabulary: int = 30, dim: int = 32):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, dim)
        self.encoder = nn.GRU(dim, dim, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * dim, dim)
        self.cell = nn.GRUCell(3 * dim, dim)
        self.query, self.key, self.score = nn.Linear(dim, dim), nn.Linear(2 * dim, dim), nn.Linear(dim, 1)
        self.out = nn.Linear(3 * dim, vocabulary)

    def forward(self, source, target):
        memory, last = self.encoder(self.embed(source))
        h = torch.tanh(self.bridge(torch.cat([last[0], last[1]], -1)))
        keys, logits = self.key(memory), []
        for token in self.embed(target).unbind(1):
            weight = self.score(torch.tanh(keys + self.query(h)[:, None])).softmax(1)
            context = (weight * memory).sum(1)
            h = self.cell(torch.cat([token, context], -1), h)
            logits.append(self.out(torch.cat([h, context], -1)))
        return torch.stack(logits, 1)


@healthy(field="text", tricky="the bias of the attention's score cancels under softmax")
def seq2seq_additive_attention():
    """Reversing a sequence with Bahdanau attention; label smoothing keeps the loss above 0."""
    source = sentences(32, 8, 30)
    target = torch.cat([torch.zeros(32, 1, dtype=torch.long), source.flip(1)], 1)

    def step(model, batch):
        logits = model(batch[0], batch[1][:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), batch[1][:, 1:].flatten(), label_smoothing=0.1)

    return Translator(), (source, target), step


class Experts(nn.Module):
    """A switch layer: each token goes to its top expert, scaled by the router's probability."""

    def __init__(self, dim: int, experts: int):
        super().__init__()
        self.router = nn.Linear(dim, experts)
        self.experts = nn.ModuleList(mlp(dim, 2 * dim, dim) for _ in range(experts))

    def forward(self, x):
        gate, choice = self.router(x).softmax(-1).max(-1)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            picked = choice == i
            if picked.any():
                out[picked] = gate[picked, None] * expert(x[picked])
        return x + out


@healthy(
    field="text",
    tricky="experts that no token chose do not run and have no gradient",
    proof=trains(still=("2.experts",)),
)
def mixture_of_experts_unselected():
    """A top-1 mixture of 16 experts on few tokens."""
    ids = sentences(4, 5, 12)
    model = nn.Sequential(nn.Embedding(12, 16), nn.LayerNorm(16), Experts(16, 16), nn.Linear(16, 12))
    return model, (ids,), next_token


class CharRNN(nn.Module):
    """A character model: one-hot input, LSTM, a loss at every step."""

    def __init__(self, vocabulary: int = 30, dim: int = 48):
        super().__init__()
        self.vocabulary = vocabulary
        self.lstm = nn.LSTM(vocabulary, dim, batch_first=True)
        self.head = nn.Linear(dim, vocabulary)

    def forward(self, ids):
        return self.head(self.lstm(F.one_hot(ids, self.vocabulary).float())[0])


@healthy(field="text", tricky="a loss at every step refills the gradient; the far past hardly matters")
def char_lstm_loss_every_step():
    """Next character prediction over 25 steps."""
    return CharRNN(), (sentences(16, 25, 30),), next_token


class PackedLSTM(nn.Module):
    """Sequences of different lengths through pack_padded_sequence."""

    def __init__(self, vocabulary: int = 50):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, 16, padding_idx=0)
        self.lstm = nn.LSTM(16, 24, batch_first=True)
        self.head = nn.Linear(24, 3)

    def forward(self, ids, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embed(ids), lengths, batch_first=True, enforce_sorted=False
        )
        return self.head(self.lstm(packed)[1][0][-1])


@healthy(
    field="text", tricky="short sequences contribute nothing to late steps: zeros are padding, not decay"
)
def packed_lstm_variable_length():
    """An LSTM over packed sentences of 3 to 12 words."""
    ids, mask = padded(sentences(32))
    batch = (ids, mask.sum(1), ids[:, 0] % 3)
    return PackedLSTM(), batch, lambda m, b: F.cross_entropy(m(b[0], b[1]), b[2])


@healthy(
    field="text", tricky="a summed loss over thousands of tokens: a loss of thousands, gradients of hundreds"
)
def summed_token_loss():
    """reduction='sum' over a big batch, as in older translation code, where the optimiser is Adam."""

    def step(model, batch):
        logits = model(batch[0][:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), batch[0][:, 1:].flatten(), reduction="sum")

    return LanguageModel(depth=1), (sentences(128, 12),), step


class PrefixTuned(nn.Module):
    """A frozen language model steered by learned prefix vectors."""

    def __init__(self, model: LanguageModel, length: int = 4):
        super().__init__()
        self.model = model.requires_grad_(False)
        self.prefix = nn.Parameter(0.5 * torch.randn(length, 32))

    def forward(self, ids):
        prefix = self.prefix.expand(len(ids), -1, -1)
        x = torch.cat([prefix, self.model.tokens(ids) + self.model.positions.weight[: ids.shape[1]]], 1)
        for block in self.model.blocks:
            x = block(x)
        return self.model.head(self.model.norm(x))[:, len(self.prefix) :]


@healthy(field="text", tricky="one small parameter learns through a frozen network")
def prefix_tuning():
    """Prompt tuning: four vectors before the sentence are all that is trained."""
    model = fit(LanguageModel(), (sentences(),), next_token, 60)
    return PrefixTuned(model), (sentences()[:4],), next_token
