"""Checkpoints of every kind, and how one falls short of the model."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from gradcheck_cli.errors import TargetError
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.target import load_target
from gradcheck_cli.target.code.weights import load_weights


def test_weights_files_of_every_kind_fit_the_model(write, tmp_path):
    write("def batch(): return torch.ones(2, 3)\ndef build_model(out=2): return nn.Sequential(nn.Linear(3, out))")
    state = {"0.weight": torch.full((2, 3), 2.0), "0.bias": torch.ones(2)}
    torch.save(state, tmp_path / "plain.pt")
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "wrapped.ckpt")
    torch.save({"model_state_dict": {f"_orig_mod.{k}": v for k, v in state.items()}}, tmp_path / "compiled.pth")
    save_file(state, tmp_path / "safe.safetensors")
    for name in ("plain.pt", "wrapped.ckpt", "compiled.pth", "safe.safetensors"):
        model = load_target(CheckSpec(model="user.py", weights=name)).model
        assert torch.equal(model[0].weight, state["0.weight"]), name


def test_weights_that_do_not_fit_are_told_shortly(write, tmp_path):
    write("def batch(): return torch.ones(2, 3)\ndef build_model(out=2): return nn.Sequential(nn.Linear(3, out))")
    torch.save({"0.weight": torch.ones(5, 3), "head.bias": torch.ones(2)}, tmp_path / "w.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(TargetError) as error:
        load_target(CheckSpec(model="user.py", weights="w.pt"))
    assert error.value.message == (
        "--weights w.pt does not fit the model: missing `0.bias`; unexpected `head.bias`; "
        "1 of another shape, first 0.weight: (5, 3) in the file, (2, 3) in the model"
    )
    with pytest.raises(TargetError, match="holds a list, not a state_dict"):
        load_target(CheckSpec(model="user.py", weights="list.pt"))


def test_a_tied_weight_stored_once_is_enough(write, tmp_path):
    write(
        """
        class Tied(nn.Module):
            def __init__(self):
                super().__init__()
                self.embed, self.head = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
                self.head.weight = self.embed.weight
            def forward(self, ids): return self.head(self.embed(ids))
        model = Tied()
        batch = torch.zeros(2, 3, dtype=torch.long)
        """
    )
    save_file({"embed.weight": torch.full((5, 3), 4.0)}, tmp_path / "t.safetensors")
    model = load_target(CheckSpec(model="user.py", weights="t.safetensors")).model
    assert model.head.weight is model.embed.weight
    assert model.head.weight[0, 0] == 4


def saved(path, stored):
    torch.save(stored, path)
    return str(path)


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("key", [None, "state_dict", "model_state_dict", "model"])
def test_wrappers_are_taken_off_a_state_dict(tmp_path, prefix, key):
    state = {f"{prefix}weight": torch.full((2, 3), 5.0), f"{prefix}bias": torch.zeros(2)}
    model = nn.Linear(3, 2)
    load_weights(model, saved(tmp_path / "w.pt", state if key is None else {key: state}), trust_pickle=False)
    assert torch.equal(model.weight, torch.full((2, 3), 5.0))


def test_a_prefix_that_not_every_name_has_is_part_of_the_names(tmp_path):
    path = saved(tmp_path / "w.pt", {"module.weight": torch.ones(2, 3), "bias": torch.ones(2)})
    with pytest.raises(TargetError, match=r"missing `weight`; unexpected `module\.weight`"):
        load_weights(nn.Linear(3, 2), path, trust_pickle=False)


def test_a_whole_model_gives_its_state_where_it_is_trusted(tmp_path):
    source, model = nn.Linear(3, 2), nn.Linear(3, 2)
    path = saved(tmp_path / "w.pt", {"model": source})
    with pytest.raises(TargetError, match="holds pickled Python objects"):
        load_weights(model, path, trust_pickle=False)
    load_weights(model, path, trust_pickle=True)
    assert torch.equal(model.weight, source.weight)


@pytest.mark.parametrize(
    ("stored", "kind"), [({}, "dict"), ({"epoch": 3}, "dict"), ({1: torch.ones(2)}, "dict"), (torch.ones(2), "Tensor")]
)
def test_what_is_no_state_dict_is_named(tmp_path, stored, kind):
    with pytest.raises(TargetError, match=f"holds a {kind}, not a state_dict") as error:
        load_weights(nn.Linear(3, 2), saved(tmp_path / "w.pt", stored), trust_pickle=False)
    assert "torch.save(model.state_dict(), PATH)" in error.value.hint


def test_many_names_that_do_not_fit_are_cut_short(tmp_path):
    path = saved(tmp_path / "w.pt", {f"old.{i}": torch.ones(1) for i in range(9)})
    with pytest.raises(TargetError) as error:
        load_weights(nn.Linear(3, 2), path, trust_pickle=False)
    assert error.value.message.endswith(
        "missing `weight`, `bias`; unexpected `old.0`, `old.1`, `old.2`, `old.3` and 5 more"
    )
    assert "--set" in error.value.hint


def test_right_names_with_values_that_are_no_tensors_are_told(tmp_path):
    model = nn.Sequential(nn.Linear(2, 3))
    torch.save({"0.weight": "text", "0.bias": torch.zeros(3)}, tmp_path / "w.pt")
    with pytest.raises(TargetError, match=r"first 0\.weight: a str in the file, \(3, 2\) in the model"):
        load_weights(model, str(tmp_path / "w.pt"), trust_pickle=False)
