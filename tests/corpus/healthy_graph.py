"""Healthy graphs, recommenders, rankings and survival: sparse reach, partial losses, pairwise losses."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import healthy
from tests.corpus.toys import blobs, classify, mlp, surface
from tests.corpus.trained import trains


def community(nodes: int = 60, isolated: int = 0, degree: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Node features, edges (2, E) within three communities, labels; the last nodes have no edges."""
    labels = torch.arange(nodes) % 3
    x = torch.randn(3, 8)[labels] * 0.7 + torch.randn(nodes, 8)
    source = torch.arange(nodes - isolated).repeat_interleave(degree)
    hop = 3 * torch.randint(1, 10, source.shape)
    return x, torch.stack([source, (source + hop) % (nodes - isolated) // 3 * 3 + source % 3]), labels


class MeanConv(nn.Module):
    """GraphSAGE: own features plus the mean of the neighbours'."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.own, self.near = nn.Linear(inputs, outputs), nn.Linear(inputs, outputs, bias=False)

    def forward(self, x, edges):
        source, sink = edges
        total = torch.zeros_like(x).index_add(0, sink, x[source])
        degree = torch.zeros(len(x)).index_add(0, sink, torch.ones(len(sink)))
        return self.own(x) + self.near(total / degree.clamp_min(1)[:, None])


class SAGE(nn.Module):
    """Layers of MeanConv with in-place ReLU."""

    def __init__(self, *sizes: int):
        super().__init__()
        self.layers = nn.ModuleList(MeanConv(a, b) for a, b in pairwise(sizes))

    def forward(self, x, edges):
        for layer in self.layers[:-1]:
            x = F.relu(layer(x, edges), inplace=True)
        return self.layers[-1](x, edges)


@healthy(field="graph", tricky="only a tenth of the nodes is labelled; the loss masks the rest")
def sage_few_labels():
    """Semi-supervised node classification with mean aggregation."""
    x, edges, labels = community()
    mask = torch.arange(60) < 6

    def step(model, batch):
        x, edges, labels, mask = batch
        return F.cross_entropy(model(x, edges)[mask], labels[mask])

    return SAGE(8, 24, 24, 3), (x, edges, labels, mask), step


@healthy(field="graph", tricky="a third of the nodes has no edge: their neighbour term and its gradient are 0")
def graph_isolated_nodes():
    """Node classification where degree 0 is clamped to 1."""
    x, edges, labels = community(isolated=20)
    return SAGE(8, 24, 3), (x, edges, labels), lambda m, b: F.cross_entropy(m(b[0], b[1]), b[2])


class GAT(nn.Module):
    """Graph attention over a dense adjacency with self loops."""

    def __init__(self):
        super().__init__()
        self.project, self.left, self.right = nn.Linear(8, 24), nn.Linear(24, 1), nn.Linear(24, 1)
        self.head = nn.Linear(24, 3)

    def forward(self, x, adjacency):
        h = self.project(x)
        score = F.leaky_relu(self.left(h) + self.right(h).T, 0.2)
        weight = score.masked_fill(~adjacency, float("-inf")).softmax(1)
        return self.head(F.elu(weight @ h))


@healthy(field="graph", tricky="attention over one neighbour is constant: softmax rows of a single element")
def graph_attention_lonely_rows():
    """GAT where isolated nodes attend only to themselves."""
    x, edges, labels = community(isolated=20)
    adjacency = torch.eye(60, dtype=torch.bool)
    adjacency[edges[1], edges[0]] = True
    return GAT(), (x, adjacency, labels), lambda m, b: F.cross_entropy(m(b[0], b[1]), b[2])


class GIN(nn.Module):
    """Graph isomorphism network: sum aggregation, normalised inside, summed per graph."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32))
        self.second = nn.Sequential(nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32))
        self.epsilon = nn.Parameter(torch.zeros(2))
        self.out = nn.Linear(32, 2)

    def forward(self, x, adjacency):
        for i, net in enumerate((self.first, self.second)):
            h = (1 + self.epsilon[i]) * x + adjacency @ x
            x = net(h.flatten(0, 1)).unflatten(0, h.shape[:2])
        return self.out(x.mean(1))


@healthy(field="graph", tricky="sum aggregation grows with degree until BatchNorm takes it back")
def gin_graph_classification():
    """Telling dense from sparse random graphs."""
    y = torch.arange(32) % 2
    edge = torch.rand(32, 12, 12) < (0.2 + 0.2 * y)[:, None, None]
    adjacency = torch.triu(edge, 1).float()
    x = F.pad((adjacency + adjacency.mT).sum(2, keepdim=True) - 3, (0, 7))
    return GIN(), (x, adjacency + adjacency.mT, y), lambda m, b: F.cross_entropy(m(b[0], b[1]), b[2])


class Factorised(nn.Module):
    """Users and items in large tables, dot product plus biases."""

    def __init__(self, users: int = 5000, items: int = 8000, dim: int = 16):
        super().__init__()
        self.user, self.item = nn.Embedding(users, dim), nn.Embedding(items, dim)
        self.user_bias, self.item_bias = nn.Embedding(users, 1), nn.Embedding(items, 1)
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=0.1)
        for table in (self.user_bias, self.item_bias):
            nn.init.zeros_(table.weight)

    def forward(self, user, item):
        bias = self.user_bias(user) + self.item_bias(item)
        return (self.user(user) * self.item(item)).sum(-1) + bias.squeeze(-1)


@healthy(field="recommender", tricky="13,000 rows of which 128 are used; factors at 0.1 multiply each other")
def matrix_factorisation():
    """Explicit ratings; every user and item of the batch is distinct."""
    user, item = torch.randperm(5000)[:64], torch.randperm(8000)[:64]
    return Factorised(), (user, item, 3 + torch.randn(64)), lambda m, b: F.mse_loss(m(b[0], b[1]), b[2])


@healthy(
    field="recommender",
    tricky="the user's bias cancels between the positive and the negative",
    proof=trains(still=("user_bias",)),
)
def bayesian_personalised_ranking():
    """BPR: the positive item against a sampled negative; the difference cancels the user's bias."""

    def step(model, batch):
        user, good, bad = batch
        return -F.logsigmoid(model(user, good) - model(user, bad)).mean()

    items = torch.randperm(200)
    user = torch.randint(0, 100, (128,))
    batch = (user, items[torch.randint(0, 100, (128,))], items[torch.randint(100, 200, (128,))])
    return Factorised(100, 200), batch, step


class WideAndDeep(nn.Module):
    """Categorical embeddings into a wide linear part and a deep one; click logits."""

    def __init__(self):
        super().__init__()
        self.wide, self.deep = nn.EmbeddingBag(3000, 1, mode="sum"), nn.Embedding(3000, 8)
        self.net = mlp(40, 32, 1)

    def forward(self, ids):
        return (self.wide(ids) + self.net(self.deep(ids).flatten(1))).squeeze(1)


@healthy(field="recommender", tricky="one click in fifty: the loss is small from the start and most errors vanish")
def rare_clicks_wide_and_deep():
    """Click prediction at a rate of 2 %, with the output bias at the prior."""
    ids = torch.randint(0, 600, (512, 5)) + 600 * torch.arange(5)
    clicked = (ids[:, 0] < 12).float()
    model = WideAndDeep()
    nn.init.normal_(model.wide.weight, std=0.01)
    nn.init.constant_(model.net[-1].bias, -3.9)
    return model, (ids, clicked), lambda m, b: F.binary_cross_entropy_with_logits(m(b[0]), b[1])


@healthy(field="ranking", tricky="most pairs keep the margin: the gradient is 0 for them")
def margin_ranking_scorer():
    """Pairwise margin ranking of documents by relevance."""
    x, y = surface(64, noise=0.0)

    def step(model, batch):
        score, relevance = model(batch[0]).squeeze(1), batch[1].squeeze(1)
        order = torch.sign(relevance[:, None] - relevance[None])
        return F.relu(0.05 - order * (score[:, None] - score[None]))[order != 0].mean()

    return mlp(8, 32, 1), (x, y), step


@healthy(field="ranking", tricky="a listwise softmax: the score's bias cancels")
def listnet_ranking():
    """ListNet: cross entropy between the softmax of relevance and of score over each list."""
    x = torch.randn(16, 10, 8)
    relevance = 3 * x[..., 0].sin() + x[..., 1]

    def step(model, batch):
        score = model(batch[0]).squeeze(-1)
        return F.kl_div(score.log_softmax(1), batch[1].softmax(1), reduction="batchmean")

    return mlp(8, 32, 32, 1), (x, relevance), step


@healthy(
    field="survival",
    tricky="a partial likelihood: the constant of the risk cancels, half the rows are censored",
)
def cox_partial_likelihood():
    """DeepSurv: Cox loss over rows sorted by time."""
    x, y = surface(128)
    time = torch.empty(128).exponential_() * torch.exp(-2 * y.squeeze(1))
    order = time.argsort(descending=True)
    observed = (torch.rand(128) < 0.5).float()

    def step(model, batch):
        risk = model(batch[0]).squeeze(1)
        return -((risk - risk.logcumsumexp(0)) * batch[1]).sum() / batch[1].sum()

    return mlp(8, 32, 1, act=nn.SELU), (x[order], observed[order]), step


@healthy(field="survival", tricky="discrete hazards: late intervals are reached by few rows")
def discrete_time_hazard():
    """Logistic hazards over ten intervals; intervals after the event are masked."""
    x, label = blobs(128)
    interval = torch.arange(10)
    event = (2 * label + (torch.rand(128) * 3).long()).clamp_max(9)
    happened, alive = (interval == event[:, None]).float(), (interval <= event[:, None]).float()

    def step(model, batch):
        loss = F.binary_cross_entropy_with_logits(model(batch[0]), batch[1], reduction="none")
        return (loss * batch[2]).sum() / len(loss)

    return mlp(16, 32, 10), (x, happened, alive), step


@healthy(
    field="tabular",
    tricky="counts with an exp link: the loss is an unnormalised likelihood and may be negative",
    proof=trains(0.7, floor=-30.0),
)
def poisson_counts_log_link():
    """Poisson regression of counts up to a few dozen, the bias at the log of the mean."""
    x, y = surface(128)
    counts = torch.poisson(torch.exp(2.5 + y))
    model = mlp(8, 32, 1)
    with torch.no_grad():
        model[-1].bias.fill_(counts.mean().log().item())
    return model, (x, counts), lambda m, b: F.poisson_nll_loss(m(b[0]), b[1], log_input=True)


@healthy(field="graph", tricky="a knowledge graph: margin loss, embeddings normalised in the forward")
def transe_knowledge_graph():
    """TransE on a cyclic relation with corrupted tails."""

    class TransE(nn.Module):
        def __init__(self):
            super().__init__()
            self.entity, self.relation = nn.Embedding(500, 16), nn.Embedding(4, 16)

        def forward(self, head, relation, tail):
            entity = F.normalize(self.entity.weight, dim=1)
            return (entity[head] + self.relation(relation) - entity[tail]).norm(dim=1)

    def step(model, batch):
        head, relation, tail, wrong = batch
        return F.relu(1 + model(head, relation, tail) - model(head, relation, wrong)).mean()

    head, relation = torch.randint(0, 40, (64,)), torch.randint(0, 4, (64,))
    return TransE(), (head, relation, (head + 7 * relation + 1) % 40, torch.randint(0, 40, (64,))), step


@healthy(field="tabular", tricky="BatchNorm in a classifier with frozen, normalised prototypes")
def prototype_classifier():
    """Cosine similarity to fixed prototypes at scale 16, as in face recognition."""

    class Cosine(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.PReLU(), nn.Linear(32, 8))
            self.register_buffer("prototypes", F.normalize(torch.randn(4, 8), dim=1))

        def forward(self, x):
            return 16 * F.normalize(self.body(x), dim=1) @ self.prototypes.T

    return Cosine(), blobs(), classify
