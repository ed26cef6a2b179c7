"""Models built by the libraries that people use, loaded from a file as a user would."""

import pytest
import torch

from gradcheck_cli.errors import ProbeError, UserCodeError
from gradcheck_cli.target import wrap_target
from gradcheck_cli.target.data.nesting import move

BERT = """
from transformers import BatchEncoding, BertConfig, BertForSequenceClassification, BertModel
SIZES = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
CONFIG = BertConfig(vocab_size=50, **SIZES)
def ids(): return torch.randint(0, 50, (4, 6))
"""
LIT = """
import lightning as L
from torch.utils.data import DataLoader, TensorDataset
class Lit(L.LightningModule):
    def __init__(self, width: int = 3):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Linear(width, 2)
    def forward(self, x): return self.net(x)
    def training_step(self, batch, batch_idx):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss, prog_bar=True)
        self.log_dict({"a": loss, "step": self.global_step})
        return {"loss": loss, "n": batch_idx}
    def configure_optimizers(self): return torch.optim.SGD(self.parameters(), lr=0.1)
"""
LOADER = """
    def setup(self, stage):
        self.data = TensorDataset(torch.randn(20, self.hparams.width), torch.randint(0, 2, (20,)))
    def train_dataloader(self): return DataLoader(self.data, batch_size=5)
"""
GRAPH = """
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GCN, GCNConv, global_mean_pool
def graph():
    return Data(x=torch.randn(5, 3), edge_index=torch.tensor([[0, 1, 2], [1, 2, 3]]), y=torch.tensor([1]))
"""


def test_a_hugging_face_model_computes_its_own_loss(run):
    code = BERT + (
        "def build_model(): return BertForSequenceClassification(CONFIG)\n"
        "def batch(): return BatchEncoding({'input_ids': ids(), 'labels': torch.randint(0, 2, (4,))})"
    )
    result = run(code)
    assert result.loss_source == "the output's .loss"
    torch.testing.assert_close(result.loss, torch.nn.functional.cross_entropy(result.output.logits, result.target))


def test_a_hugging_face_model_with_a_given_loss_takes_the_logits(run):
    code = BERT + (
        "def build_model(): return BertForSequenceClassification(CONFIG)\n"
        "def batch(): return {'input_ids': ids(), 'label': torch.randint(0, 2, (4,))}"
    )
    assert run(code, loss="cross_entropy").loss_source == "given: cross_entropy"
    assert run(code).loss_source == "the output's .loss"


def test_a_hugging_face_body_without_a_loss_is_guessed(run):
    result = run(BERT + "model = BertModel(CONFIG)", inputs=("input_ids=int64[2,5] in 0..50",))
    assert result.loss_source == "guessed: mean of output squared (there is no target)"


def test_an_index_beyond_the_vocabulary_is_explained(load):
    from gradcheck_cli.target import explain_forward_error

    target = load(BERT + "model = BertModel(CONFIG)", inputs=("input_ids=int64[2,5] in 60..61",))
    with pytest.raises(IndexError) as raised:
        target.forward(target.model, target.batches[0])
    error = explain_forward_error(target.model, raised.value)
    assert "`embeddings.word_embeddings` (Embedding)" in error.message
    assert "indices from 0 to 49 (num_embeddings) and not 60 to 60" in error.message


def test_a_lightning_module_steps_without_a_trainer(load, recwarn):
    target = load(LIT + LOADER, batches=2)
    assert target.picked == (
        "model: `Lit()` in user.py",
        "batch: train_dataloader() of Lit",
        "loss: Lit.training_step",
    )
    assert (target.batch_size, len(target.batches)) == (5, 2)
    target.forward(target.model, target.batches[0]).loss.backward()
    assert target.model.net.weight.grad is not None
    assert not [warning for warning in recwarn if "self.log" in str(warning.message)]


def test_a_lightning_module_takes_settings_and_a_given_loss(run):
    inputs = {"inputs": ("float32[4,7]",), "target": "int64[4] in 0..2"}
    assert run(LIT, settings=(("width", "7"),), **inputs).loss_source == "Lit.training_step"
    assert run(LIT, settings=(("width", "7"),), loss="cross_entropy", **inputs).loss_source == "given: cross_entropy"


def test_a_lightning_module_without_a_training_step_uses_the_usual_loss(run):
    code = LIT.replace("def training_step", "def other_step") + "batch = torch.randn(4, 3), torch.tensor([0, 1, 0, 1])"
    assert run(code).loss_source == "guessed: cross_entropy"


def test_a_graph_goes_in_whole_or_by_its_attributes(run):
    whole = (
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.conv = GCNConv(3, 2)\n"
        "    def forward(self, data):\n"
        "        return global_mean_pool(self.conv(data.x, data.edge_index), data.batch)\n"
    )
    loader = "loader = DataLoader([graph() for _ in range(6)], batch_size=3)\n"
    result = run(GRAPH + whole + loader)
    assert (result.loss_source, tuple(result.output.shape)) == ("guessed: cross_entropy", (3, 2))
    assert run(GRAPH + whole.replace("data", "batch") + loader).output.shape == (3, 2)
    by_name = (
        "model = GCN(3, 4, 1, out_channels=2)\n"
        "def batch():\n"
        "    g = graph()\n"
        "    g.y = torch.zeros(5, dtype=torch.long)\n"
        "    return g"
    )
    assert run(GRAPH + by_name, dtype="float64").output.dtype is torch.float64


def test_a_dataset_of_graphs_is_collated_into_one(load):
    code = GRAPH + (
        "from torch.utils.data import Dataset\nclass Graphs(Dataset):\n    def __len__(self): return 40\n"
        "    def __getitem__(self, i): return graph()\n"
        "dataset = Graphs()\nmodel = GCN(3, 4, 1)"
    )
    assert load(code).batch_size == 32


def test_moving_a_graph_leaves_the_original():
    from torch_geometric.data import Data
    from transformers.modeling_outputs import BaseModelOutput

    graph = Data(x=torch.ones(2, 3), y=torch.tensor([1]))
    moved = move(graph, torch.device("cpu"), torch.float64)
    assert (moved.x.dtype, moved.y.dtype, graph.x.dtype) == (torch.float64, torch.int64, torch.float32)
    output = BaseModelOutput(last_hidden_state=torch.ones(2))
    moved = move(output, torch.device("cpu"), torch.float64)
    assert type(moved) is BaseModelOutput and moved.last_hidden_state.dtype is torch.float64
    assert moved["last_hidden_state"].dtype is torch.float64 and output.last_hidden_state.dtype is torch.float32


def test_manual_optimisation_fails_with_an_explanation(load):
    from gradcheck_cli.target import explain_forward_error

    code = LIT.replace("loss = F", "self.optimizers(); loss = F") + LOADER
    target = load(code)
    with pytest.raises(Exception) as raised:
        target.forward(target.model, target.batches[0])
    error = explain_forward_error(target.model, raised.value)
    assert isinstance(error, UserCodeError) and "Trainer" in error.message
    assert any("user.py" in frame for frame in error.frames)


def test_a_trained_head_over_a_frozen_body_is_probed():
    from transformers import BertConfig, BertModel

    body = BertModel(
        BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    )
    with pytest.raises(ProbeError, match="none of the model's"):
        wrap_target(body.requires_grad_(False), {"input_ids": torch.ones(1, 2, dtype=torch.long)})
