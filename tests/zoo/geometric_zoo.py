"""torch-geometric: node, edge and graph tasks, molecules, point clouds and relational graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .registry import Built, architecture

LIBRARY = "torch-geometric"
NODES, FEATURES, WIDTH, CLASSES, RELATIONS, GRAPHS = 60, 16, 48, 5, 3, 8
Inputs = tuple[Any, ...]
Make = Callable[[], nn.Module]


def classify(model: nn.Module, batch: Inputs) -> torch.Tensor:
    """Cross-entropy; the last of the batch is the labels."""
    *inputs, labels = batch
    return F.cross_entropy(model(*inputs), labels)


def regress(model: nn.Module, batch: Inputs) -> torch.Tensor:
    """Mean squared error; the last of the batch is the targets."""
    *inputs, targets = batch
    return F.mse_loss(model(*inputs).flatten(), targets)


def edges(nodes: int = NODES, per_node: int = 4) -> torch.Tensor:
    """A random undirected graph in which every node has a neighbour."""
    sources = torch.arange(nodes).repeat_interleave(per_node)
    targets = (sources + torch.randint(1, nodes, sources.shape)) % nodes
    return torch.cat([torch.stack([sources, targets]), torch.stack([targets, sources])], 1)


def node_batch() -> Inputs:
    """Nodes whose features tell something of their class."""
    labels = torch.randint(CLASSES, (NODES,))
    return torch.randn(NODES, FEATURES) + torch.randn(CLASSES, FEATURES)[labels], edges(), labels


def layers() -> Any:
    import torch_geometric.nn

    return torch_geometric.nn


def node_model(name: str, make: Make, batch: Callable[[], Inputs] = node_batch) -> None:
    """A model that classifies the nodes of one graph."""

    @architecture(f"pyg-{name}", LIBRARY, learning_rate=1e-2)
    def build() -> Built:
        return make(), batch(), classify


# --- nodes -------------------------------------------------------------------------------------


class Stack(nn.Module):
    """Convolutions with ReLU and dropout between them, as in the library's examples."""

    def __init__(self, first: nn.Module, last: nn.Module) -> None:
        super().__init__()
        self.first, self.last = first, last

    def forward(self, x: torch.Tensor, *graph: torch.Tensor) -> torch.Tensor:
        hidden = F.dropout(F.relu(self.first(x, *graph)), 0.2, self.training)
        return self.last(hidden, *graph)


def stack(kind: str, *arguments: Any, **settings: Any) -> Make:
    """Two convolutions of one kind: features -> width -> classes."""

    def make() -> nn.Module:
        conv = getattr(layers(), kind)
        return Stack(conv(FEATURES, WIDTH, *arguments, **settings), conv(WIDTH, CLASSES, *arguments, **settings))

    return make


def basic(kind: str, **settings: Any) -> Make:
    """One of the library's ready models."""
    return lambda: getattr(layers(), kind)(FEATURES, WIDTH, 3, CLASSES, **settings)


node_model("gcn", basic("GCN"))
node_model("gcn-jumping-knowledge", basic("GCN", jk="cat", norm="batch"))
node_model("graphsage", basic("GraphSAGE"))
node_model("gin", basic("GIN", norm="batch"))
node_model("gat", basic("GAT", heads=4))
node_model("gatv2", basic("GAT", heads=4, v2=True))
node_model("edge-cnn", basic("EdgeCNN"))


def pna() -> nn.Module:
    kinds = {"aggregators": ["mean", "max", "std"], "scalers": ["identity", "amplification"]}
    return layers().PNA(FEATURES, WIDTH, 3, CLASSES, **kinds, deg=torch.bincount(edges()[1]))


node_model("pna", pna)
node_model("graph-unet", lambda: layers().GraphUNet(FEATURES, WIDTH, CLASSES, depth=2))
node_model("linkx", lambda: layers().LINKX(NODES, FEATURES, WIDTH, CLASSES, num_layers=2))
node_model("pmlp", lambda: layers().PMLP(FEATURES, WIDTH, CLASSES, num_layers=3))
node_model("chebnet", stack("ChebConv", 3))
node_model("sgc", lambda: layers().SGConv(FEATURES, CLASSES, K=2))
node_model("ssgc", lambda: layers().SSGConv(FEATURES, CLASSES, alpha=0.1, K=4))
node_model("tagcn", stack("TAGConv", 3))
node_model("arma", stack("ARMAConv", num_stacks=2, num_layers=2))
node_model("graph-conv", stack("GraphConv"))
node_model("leconv", stack("LEConv"))
node_model("cluster-gcn", stack("ClusterGCNConv"))
node_model("feast", stack("FeaStConv", heads=4))
node_model("film", stack("FiLMConv"))
node_model("residual-gated", stack("ResGatedGraphConv"))
node_model("transformer-conv", stack("TransformerConv"))
node_model("supergat", stack("SuperGATConv"))
node_model("egc", stack("EGConv", num_heads=1))
node_model("mfconv", stack("MFConv"))
node_model("general-conv", stack("GeneralConv"))
node_model("generalized-gen", stack("GENConv"))


class Propagating(nn.Module):
    """A layer in, several of one width, a layer out: GCNII, APPNP, FAGCN, AGNN and others."""

    def __init__(self, body: list[nn.Module], takes_first: bool = False) -> None:
        super().__init__()
        self.inward, self.outward = nn.Linear(FEATURES, WIDTH), nn.Linear(WIDTH, CLASSES)
        self.body, self.takes_first = nn.ModuleList(body), takes_first

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        x = first = F.relu(self.inward(x))
        for layer in self.body:
            x = F.relu(layer(x, first, edge_index) if self.takes_first else layer(x, edge_index))
        return self.outward(x)


def propagating(depth: int, kind: str, *arguments: Any, takes_first: bool = False, **settings: Any) -> Make:
    def make() -> nn.Module:
        conv = getattr(layers(), kind)
        return Propagating([conv(*arguments, **settings) for _ in range(depth)], takes_first)

    return make


node_model("gcnii", propagating(8, "GCN2Conv", WIDTH, 0.1, takes_first=True))
node_model("fagcn", propagating(4, "FAConv", WIDTH, 0.1, takes_first=True))
node_model("appnp", propagating(1, "APPNP", 10, 0.1))
node_model("agnn", propagating(2, "AGNNConv"))
node_model("gated-graph", propagating(1, "GatedGraphConv", WIDTH, 4))
node_model("antisymmetric", propagating(1, "AntiSymmetricConv", WIDTH, num_iters=4))


class DeepGCN(nn.Module):
    """Residual GEN convolutions, as in the library's OGB example."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        nn_ = layers()
        self.inward, self.outward = nn.Linear(FEATURES, WIDTH), nn.Linear(WIDTH, CLASSES)
        self.body = nn.ModuleList(
            nn_.DeepGCNLayer(nn_.GENConv(WIDTH, WIDTH), nn.LayerNorm(WIDTH), nn.ReLU(), dropout=0.1)
            for _ in range(depth)
        )

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        x = self.inward(x)
        for layer in self.body:
            x = layer(x, edge_index)
        return self.outward(x)


node_model("deepgcn", lambda: DeepGCN(6))


def whole_graph() -> Inputs:
    x, edge_index, labels = node_batch()
    return x, edge_index, torch.zeros(NODES, dtype=torch.long), labels


node_model("sgformer", lambda: layers().SGFormer(FEATURES, WIDTH, CLASSES), whole_graph)
node_model(
    "polynormer",
    lambda: layers().Polynormer(FEATURES, WIDTH, CLASSES, local_layers=2, global_layers=1),
    whole_graph,
)


class Relational(nn.Module):
    """Learned node embeddings and two relational convolutions."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        conv = getattr(layers(), kind)
        self.nodes = nn.Parameter(torch.randn(NODES, FEATURES))
        self.first, self.last = conv(FEATURES, WIDTH, RELATIONS), conv(WIDTH, CLASSES, RELATIONS)

    def forward(self, edge_index: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        return self.last(F.relu(self.first(self.nodes, edge_index, types)), edge_index, types)


def relational_batch() -> Inputs:
    edge_index = edges()
    return edge_index, torch.randint(RELATIONS, (edge_index.shape[1],)), torch.randint(CLASSES, (NODES,))


node_model("rgcn", lambda: Relational("RGCNConv"), relational_batch)
node_model("rgat", lambda: Relational("RGATConv"), relational_batch)
node_model("fast-rgcn", lambda: Relational("FastRGCNConv"), relational_batch)


class Heterogeneous(nn.Module):
    """Two node types with convolutions over the relations between them."""

    METADATA = (["paper", "author"], [("author", "writes", "paper"), ("paper", "cites", "paper")])

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.conv = getattr(layers(), kind)({"paper": FEATURES, "author": 8}, WIDTH, self.METADATA, heads=4)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: dict[str, torch.Tensor], graph: dict[Any, torch.Tensor]) -> torch.Tensor:
        return self.head(self.conv(x, graph)["paper"])


def heterogeneous_batch() -> Inputs:
    x = {"paper": torch.randn(NODES, FEATURES), "author": torch.randn(NODES, 8)}
    graph = {relation: edges() for relation in Heterogeneous.METADATA[1]}
    return x, graph, torch.randint(CLASSES, (NODES,))


node_model("hgt", lambda: Heterogeneous("HGTConv"), heterogeneous_batch)
node_model("han", lambda: Heterogeneous("HANConv"), heterogeneous_batch)

# --- graphs ------------------------------------------------------------------------------------


def graph_batch() -> Inputs:
    """Eight graphs of twelve nodes, with features on nodes and edges."""
    offsets = torch.arange(GRAPHS).repeat_interleave(12 * 6) * 12
    edge_index = torch.cat([edges(12, 3) for _ in range(GRAPHS)], 1) + offsets
    x, attributes = torch.randn(12 * GRAPHS, FEATURES), torch.randn(edge_index.shape[1], 4)
    return x, edge_index, attributes, torch.arange(GRAPHS).repeat_interleave(12), torch.randn(GRAPHS)


def graph_model(name: str, make: Make) -> None:
    """A model that predicts a number for each graph."""

    @architecture(f"pyg-{name}", LIBRARY)
    def build() -> Built:
        return make(), graph_batch(), regress


class Readout(nn.Module):
    """Convolutions with features on the edges, then one vector for each graph."""

    def __init__(self, inward: nn.Module, convs: list[nn.Module], readout: nn.Module, wide: int = WIDTH) -> None:
        super().__init__()
        self.inward, self.convs = inward, nn.ModuleList(convs)
        self.readout, self.head = readout, nn.Linear(wide, 1)

    def forward(self, x: Any, edge_index: Any, attributes: Any, batch: Any) -> torch.Tensor:
        x = self.inward(x)
        for conv in self.convs:
            x = F.relu(conv(x, edge_index, attributes))
        return self.head(self.readout(x, batch))


def perceptron(*widths: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(*widths[:2]), nn.ReLU(), nn.Linear(*widths[1:]))


def message_passing(make_conv: Callable[[Any], nn.Module], readout: Callable[[Any], nn.Module], wide=WIDTH) -> Make:
    def make() -> nn.Module:
        nn_ = layers()
        convs = [make_conv(nn_) for _ in range(2)]
        return Readout(nn.Linear(FEATURES, WIDTH), convs, readout(nn_), wide)

    return make


def gine(nn_: Any) -> nn.Module:
    return nn_.GINEConv(perceptron(WIDTH, WIDTH, WIDTH), edge_dim=4)


graph_model(
    "mpnn-set2set",
    message_passing(
        lambda n: n.NNConv(WIDTH, WIDTH, perceptron(4, 16, WIDTH * WIDTH), aggr="mean"),
        lambda n: n.Set2Set(WIDTH, 3),
        2 * WIDTH,
    ),
)
graph_model("gine", message_passing(gine, lambda n: n.MeanAggregation()))
graph_model("gine-set-transformer", message_passing(gine, lambda n: n.SetTransformerAggregation(WIDTH, heads=4)))
graph_model("gine-softmax", message_passing(gine, lambda n: n.SoftmaxAggregation(learn=True)))
graph_model("gine-attention", message_passing(gine, lambda n: n.AttentionalAggregation(perceptron(WIDTH, 16, 1))))
graph_model("cgcnn", message_passing(lambda n: n.CGConv(WIDTH, 4), lambda n: n.MeanAggregation()))
graph_model(
    "gmm",
    message_passing(lambda n: n.GMMConv(WIDTH, WIDTH, dim=4, kernel_size=3), lambda n: n.MaxAggregation()),
)
graph_model("pdn", message_passing(lambda n: n.PDNConv(WIDTH, WIDTH, 4, 16), lambda n: n.MeanAggregation()))
graph_model(
    "gat-edges",
    message_passing(lambda n: n.GATv2Conv(WIDTH, WIDTH, edge_dim=4), lambda n: n.MeanAggregation()),
)
graph_model(
    "transformer-edges",
    message_passing(lambda n: n.TransformerConv(WIDTH, WIDTH, edge_dim=4), lambda n: n.SumAggregation()),
)
graph_model(
    "attentive-fp",
    lambda: layers().AttentiveFP(FEATURES, WIDTH, 1, edge_dim=4, num_layers=2, num_timesteps=2),
)


class GraphTransformer(nn.Module):
    """GPS: local message passing and global attention in every layer."""

    def __init__(self, attention: str) -> None:
        super().__init__()
        nn_ = layers()
        self.inward, self.edge, self.head = (
            nn.Linear(FEATURES, WIDTH),
            nn.Linear(4, WIDTH),
            nn.Linear(WIDTH, 1),
        )
        self.convs = nn.ModuleList(
            nn_.GPSConv(WIDTH, nn_.GINEConv(perceptron(WIDTH, WIDTH, WIDTH)), heads=4, attn_type=attention)
            for _ in range(3)
        )

    def forward(self, x: Any, edge_index: Any, attributes: Any, batch: Any) -> torch.Tensor:
        x, attributes = self.inward(x), self.edge(attributes)
        for conv in self.convs:
            x = conv(x, edge_index, batch, edge_attr=attributes)
        return self.head(layers().global_mean_pool(x, batch))


graph_model("gps", lambda: GraphTransformer("multihead"))
graph_model("gps-performer", lambda: GraphTransformer("performer"))


class Pooled(nn.Module):
    """A convolution, a pooling that keeps some nodes, a convolution, and the mean."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        nn_ = layers()
        self.first, self.last = nn_.GraphConv(FEATURES, WIDTH), nn_.GraphConv(WIDTH, WIDTH)
        self.pool, self.head = pool, nn.Linear(WIDTH, 1)

    def forward(self, x: Any, edge_index: Any, attributes: Any, batch: Any) -> torch.Tensor:
        x = F.relu(self.first(x, edge_index))
        x, edge_index, _, batch, *_ = self.pool(x, edge_index, batch=batch)
        x = F.relu(self.last(x, edge_index))
        return self.head(layers().global_mean_pool(x, batch, GRAPHS))


graph_model("sag-pool", lambda: Pooled(layers().SAGPooling(WIDTH)))
graph_model("top-k-pool", lambda: Pooled(layers().TopKPooling(WIDTH)))


class DensePooled(nn.Module):
    """Soft assignment of nodes to clusters, on dense adjacency matrices."""

    def __init__(self, pool: str) -> None:
        super().__init__()
        nn_ = layers()
        self.assign = nn_.DenseGraphConv(FEATURES, 4)
        self.first, self.last = nn_.DenseGraphConv(FEATURES, WIDTH), nn_.DenseGraphConv(WIDTH, WIDTH)
        self.pool, self.head = getattr(nn_, pool), nn.Linear(WIDTH, 1)

    def forward(self, x: torch.Tensor, adjacency: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = F.relu(self.first(x, adjacency))
        hidden, adjacency, *extra = self.pool(hidden, adjacency, self.assign(x, adjacency))
        return self.head(F.relu(self.last(hidden, adjacency)).mean(1)), sum(extra)


def pooled_loss(model: nn.Module, batch: Inputs) -> torch.Tensor:
    """The error and the pooling's own losses."""
    x, adjacency, targets = batch
    predicted, extra = model(x, adjacency)
    return F.mse_loss(predicted.flatten(), targets) + 0.1 * extra


for pool_name, pool_kind in {"diff-pool": "dense_diff_pool", "min-cut-pool": "dense_mincut_pool"}.items():

    @architecture(f"pyg-{pool_name}", LIBRARY)
    def _dense_pool(kind: str = pool_kind) -> Built:
        adjacency = (torch.rand(GRAPHS, 12, 12) < 0.3).float()
        adjacency = torch.maximum(adjacency, adjacency.transpose(1, 2))
        return (
            DensePooled(kind),
            (torch.randn(GRAPHS, 12, FEATURES), adjacency, torch.randn(GRAPHS)),
            pooled_loss,
        )


# --- molecules and point clouds ------------------------------------------------------------------


def molecule_batch() -> Inputs:
    """Atoms of eight small molecules: number, place and molecule; and an energy for each."""
    numbers, places = torch.randint(1, 9, (GRAPHS * 6,)), torch.randn(GRAPHS * 6, 3) * 1.5
    return numbers, places, torch.arange(GRAPHS).repeat_interleave(6), torch.randn(GRAPHS)


def neighbours(places: torch.Tensor, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Every pair of one molecule, and its distance."""
    same = (batch[:, None] == batch) & ~torch.eye(len(batch), dtype=torch.bool)
    edge_index = same.nonzero().T
    return edge_index, (places[edge_index[0]] - places[edge_index[1]]).norm(dim=-1)


@architecture("pyg-schnet", LIBRARY)
def schnet() -> Built:
    model = layers().SchNet(WIDTH, WIDTH, 3, 20, interaction_graph=neighbours, readout="mean")
    return model, molecule_batch(), regress


class PointCloud(nn.Module):
    """Two convolutions over points, then the maximum over each cloud."""

    def __init__(self, first: nn.Module, last: nn.Module, relative: bool) -> None:
        super().__init__()
        self.first, self.last, self.head, self.relative = first, last, nn.Linear(WIDTH, CLASSES), relative

    def forward(self, places: torch.Tensor, edge_index: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
        extra = (places, edge_index) if self.relative else (edge_index,)
        hidden = F.relu(self.first(places, *extra))
        return self.head(layers().global_max_pool(F.relu(self.last(hidden, *extra)), batch))


def cloud_batch() -> Inputs:
    batch = torch.arange(GRAPHS).repeat_interleave(12)
    places = torch.randn(len(batch), 3)
    return places, neighbours(places, batch)[0], batch, torch.arange(GRAPHS) % CLASSES


def cloud(name: str, make: Callable[[Any, int, int], nn.Module], relative: bool) -> None:
    @architecture(f"pyg-{name}", LIBRARY)
    def build() -> Built:
        first, last = make(layers(), 3, WIDTH), make(layers(), WIDTH, WIDTH)
        return PointCloud(first, last, relative), cloud_batch(), classify


cloud("pointnet", lambda n, i, o: n.PointNetConv(perceptron(i + 3, o, o)), relative=True)
cloud("dgcnn", lambda n, i, o: n.EdgeConv(perceptron(2 * i, o, o)), relative=False)
cloud("point-transformer", lambda n, i, o: n.PointTransformerConv(i, o), relative=True)

# --- edges, embeddings and self-supervision --------------------------------------------------------


def variational_loss(model: nn.Module, batch: Inputs) -> torch.Tensor:
    """Reconstruct the edges and pay for the information in the code."""
    x, edge_index, pairs = batch
    code = model.encode(x, edge_index)
    return model.recon_loss(code, edge_index, pairs) + model.kl_loss() / NODES


class VariationalEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        conv = layers().GCNConv
        self.shared, self.mean, self.spread = conv(FEATURES, WIDTH), conv(WIDTH, 16), conv(WIDTH, 16)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = F.relu(self.shared(x, edge_index))
        return self.mean(hidden, edge_index), self.spread(hidden, edge_index)


def link_loss(model: nn.Module, batch: Inputs) -> torch.Tensor:
    """Edges against random pairs."""
    x, edge_index, pairs = batch
    code = model(x, edge_index)
    present, absent = ((code[ends[0]] * code[ends[1]]).sum(-1) for ends in (edge_index, pairs))
    return F.softplus(-present).mean() + F.softplus(absent).mean()


def link_batch() -> Inputs:
    return torch.randn(NODES, FEATURES), edges(), torch.randint(NODES, (2, 240))


@architecture("pyg-variational-autoencoder", LIBRARY)
def variational_autoencoder() -> Built:
    return layers().VGAE(VariationalEncoder()), link_batch(), variational_loss


@architecture("pyg-graph-autoencoder", LIBRARY, learning_rate=1e-2)
def graph_autoencoder() -> Built:
    return layers().GCN(FEATURES, WIDTH, 2, 16), link_batch(), link_loss


def infomax_loss(model: nn.Module, batch: Inputs) -> torch.Tensor:
    return model.loss(*model(*batch))


@architecture("pyg-deep-graph-infomax", LIBRARY, learning_rate=1e-2)
def deep_graph_infomax() -> Built:
    model = layers().DeepGraphInfomax(
        hidden_channels=WIDTH,
        encoder=layers().GCN(FEATURES, WIDTH, 1),
        summary=lambda z, *_, **__: z.mean(0).sigmoid(),
        corruption=lambda x, edge_index: (x[torch.randperm(len(x))], edge_index),
    )
    return model, node_batch()[:2], infomax_loss


def ranking_loss(model: nn.Module, batch: Inputs) -> torch.Tensor:
    edge_index, good, bad = batch
    return model.recommendation_loss(model(edge_index, good), model(edge_index, bad), node_id=good.unique())


@architecture("pyg-lightgcn", LIBRARY, learning_rate=1e-2)
def lightgcn() -> Built:
    edge_index = edges()
    bad = torch.stack([edge_index[0], torch.randint(NODES, edge_index[0].shape)])
    return layers().LightGCN(NODES, 32, 2), (edge_index, edge_index, bad), ranking_loss


def triple_loss(model: nn.Module, batch: Inputs) -> torch.Tensor:
    return model.loss(*batch)


for knowledge in ("TransE", "ComplEx", "DistMult"):

    @architecture(f"pyg-{knowledge.lower()}", LIBRARY, learning_rate=1e-2)
    def _knowledge(kind: str = knowledge) -> Built:
        model = getattr(layers(), kind)(NODES, RELATIONS, 32)
        triples = torch.randint(NODES, (200,)), torch.randint(RELATIONS, (200,)), torch.randint(NODES, (200,))
        return model, triples, triple_loss


def signed_loss(model: nn.Module, batch: Inputs) -> torch.Tensor:
    """Tell the edges of agreement from those of conflict."""
    x, positive, negative = batch
    code = model(x, positive, negative)
    signs = torch.arange(2).repeat_interleave(positive.shape[1])
    return F.nll_loss(model.discriminate(code, torch.cat([positive, negative], 1)), signs)


@architecture("pyg-signed-gcn", LIBRARY)
def signed_gcn() -> Built:
    model = layers().SignedGCN(FEATURES, WIDTH, 2)
    return model, (torch.randn(NODES, FEATURES), edges(), edges()), signed_loss
