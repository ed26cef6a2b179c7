"""Healthy text, continued: word tables, recurrent readers, experts and prompts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import healthy
from tests.corpus.healthy_text import LanguageModel, padded
from tests.corpus.provers import Recipe
from tests.corpus.toys import fit, mlp, next_token, sentences
from tests.corpus.trained import trains


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
        packed = nn.utils.rnn.pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False)
        return self.head(self.lstm(packed)[1][0][-1])


@healthy(field="text", tricky="short sequences contribute nothing to late steps: zeros are padding, not decay")
def packed_lstm_variable_length():
    """An LSTM over packed sentences of 3 to 12 words."""
    ids, mask = padded(sentences(32))
    batch = (ids, mask.sum(1), ids[:, 0] % 3)
    return PackedLSTM(), batch, lambda m, b: F.cross_entropy(m(b[0], b[1]), b[2])


@healthy(field="text", tricky="a summed loss over thousands of tokens: a loss of thousands, gradients of hundreds")
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
