"""A list of tuples is read as the step takes it, and a lazy model is made real by the step that is used."""

import pytest
import torch
from torch import nn

from gradcheck_cli.pipeline import run_check
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.target.data.batchlists import reads_whole

MODEL = "def build_model(): return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))\n"
TASKS = "def make_batch(): return [(torch.randn(5, 3), torch.randn(5, 1)) for _ in range(4)]\n"
LOOP = "def compute_loss(model, tasks):\n    return sum(F.mse_loss(model(x), y) for x, y in tasks) / len(tasks)\n"
ONE = "def compute_loss(model, batch):\n    x, y = batch\n    return F.mse_loss(model(x), y)\n"
BY_PLACE = "def compute_loss(model, batch):\n    return F.mse_loss(model(batch[0]), batch[1])\n"
PAIR = (
    "def make_batch(): return [(torch.randn(5, 3), torch.randn(5, 1)) for _ in range(2)]\n"
    "def compute_loss(model, batch):\n"
    "    support, query = batch\n"
    "    x, y = support\n"
    "    return F.mse_loss(model(x), y) + F.mse_loss(model(query[0]), query[1])\n"
)


@pytest.mark.parametrize(
    ("code", "whole"),
    [
        (TASKS + LOOP, True),
        (TASKS.replace("make_batch", "data") + LOOP, True),
        (TASKS + ONE, False),
        (TASKS + BY_PLACE, False),  # its name says one batch, and that does not run
        (PAIR, True),  # a flat unpacking says an item, and that does not run
        (TASKS + "loss = F.mse_loss\n", False),
        (TASKS.replace("make_batch", "data") + "loss = F.mse_loss\n", False),
    ],
    ids=["loop", "loop over data", "unpacked", "by place", "two tasks", "loss", "loss on data"],
)
def test_a_list_of_tuples_is_read_as_the_step_takes_it(load, code, whole):
    target = load(MODEL + code)
    assert isinstance(target.batches[0], list if whole else tuple)
    told = ", its list taken as one batch" if whole else ", an item of its list taken as a batch"
    assert target.picked[1].endswith(told) is (whole or "make_batch" in code)
    assert torch.isfinite(target.forward(target.model, target.batches[0]).loss)


def test_a_list_of_batches_still_gives_as_many_as_are_asked_for(load):
    assert len(load(MODEL + TASKS + ONE, batches=3).batches) == 3
    assert len(load(MODEL + TASKS + LOOP, batches=3).batches) == 1


def test_a_list_of_mappings_is_one_batch_where_the_step_goes_through_it(load):
    graphs = "def make_batch(): return [{'x': torch.randn(n, 3)} for n in (3, 4)]\n"
    looped = "def step(model, graphs): return sum(model(g['x']).mean() for g in graphs)\n"
    assert isinstance(load(MODEL + graphs + looped).batches[0], list)
    assert isinstance(load(MODEL + graphs + "def step(model, g): return model(g['x']).mean()\n").batches[0], dict)


def test_a_forward_that_takes_the_list_gets_it(load):
    model = (
        "class Net(nn.Linear):\n"
        "    def forward(self, samples):\n"
        "        return torch.stack([super(Net, self).forward(s['x']).mean() for s in samples])\n"
        "def build_model(): return Net(3, 1)\n"
        "def make_batch(): return [{'x': torch.randn(n, 3)} for n in (3, 4)]\n"
    )
    target = load(model)
    assert target.forward(target.model, target.batches[0]).output.shape == (2,)


def test_trying_a_reading_leaves_the_model_as_it_was(load):
    norm = (
        "def build_model():\n    torch.manual_seed(0)\n    return nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1))\n"
    )
    target = load(norm + TASKS + LOOP)
    assert target.model[0].num_batches_tracked == 0
    assert target.model[1].weight.grad is None


def test_neither_reading_runs_and_the_first_one_is_explained(load):
    target = load(MODEL + TASKS + "def compute_loss(model, tasks): return model(tasks['x'])\n")
    assert len(target.batches) == 1 and isinstance(target.batches[0], tuple)


@pytest.mark.parametrize("code", [LOOP, ONE], ids=["whole", "item"])
def test_such_a_file_is_checked_without_a_word(write, code):
    write(MODEL + TASKS + code)
    assert run_check(CheckSpec(model="user.py")).exit_code == 0


LAZY = "def build_model(): return nn.ModuleDict({'trunk': nn.LazyLinear(8), 'head': nn.LazyLinear(1)})\n"


def test_a_lazy_model_is_made_real_by_the_step_that_is_used(load):
    step = "def compute_loss(m, b): return F.mse_loss(m['head'](m['trunk'](b['x'].flatten(1)).tanh()), b['y'])\n"
    batch = "def make_batch(): return {'x': torch.randn(4, 2, 3), 'y': torch.randn(4, 1)}\n"
    target = load(LAZY + step + batch)
    assert target.model["trunk"].weight.shape == (8, 6)
    assert all(parameter.grad is None for parameter in target.model.parameters())


def test_a_lazy_model_and_a_list_of_tuples(load):
    model = (
        "def build_model(): return nn.Sequential(nn.LazyLinear(8), nn.BatchNorm1d(8), nn.Tanh(), nn.LazyLinear(1))\n"
    )
    target = load(model + TASKS + LOOP)
    assert isinstance(target.batches[0], list)
    assert target.model[0].weight.shape == (8, 3)
    assert target.model[1].num_batches_tracked == 0


def looped(model, tasks):
    return sum(model(task) for task in tasks)


def counted(model, tasks):
    return [i * model(task) for i, task in enumerate(tasks)]


def joined(model, tasks):
    x, y = (torch.cat(parts) for parts in zip(*tasks, strict=True))
    return model(x) - y


def nested(model, batch):
    (x, y), (u, v) = batch
    return model(x) - y + model(u) - v


def unpacked(model, batch):
    x, y = batch
    return model(x) - y


def named(model, batch):
    return model(batch["x"])


def silent(model, batch):
    return model(batch)


def torn(model, batch):
    x, y = batch
    return [model(x) - y for _ in batch]


@pytest.mark.parametrize(
    ("step", "whole"),
    [
        *((step, True) for step in (looped, counted, joined, nested)),
        *((step, False) for step in (unpacked, named)),
        *((step, None) for step in (silent, torn, len, nn.functional.relu_)),
    ],
)
def test_how_a_step_reads_its_batch_is_in_its_source(step, whole):
    assert reads_whole(step, 1) is whole
