import json
import pickle
from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from gradcheck_cli.errors import TargetError, UsageError, UserCodeError
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.target import load_target
from gradcheck_cli.target.moving import batch_size, move

MODEL = "model = nn.Linear(3, 2)\nX, Y = torch.randn(70, 3), torch.randint(0, 2, (70,))\n"
DATA = "from torch.utils.data import DataLoader, TensorDataset, Dataset, IterableDataset\n"


@pytest.mark.parametrize(
    ("code", "size", "count", "origin"),
    [
        ("batch = (X, Y)", 70, 1, "`batch` in user.py"),
        ("def make_batch(n=5): return X[:n], Y[:n]", 5, 1, "`make_batch` in user.py"),
        ("loader = DataLoader(TensorDataset(X, Y), batch_size=10)", 10, 2, "`loader` in user.py"),
        (
            "def get_loader(): return DataLoader(TensorDataset(X, Y), batch_size=10)",
            10,
            2,
            "`get_loader` in user.py",
        ),
        ("train_dataset = TensorDataset(X, Y)", 32, 2, "`train_dataset` in user.py"),
        ("def batch():\n    while True: yield X[:7], Y[:7]", 7, 2, "`batch` in user.py"),
        ("loader = [(X[:6], Y[:6]), (X[:4], Y[:4])]", 6, 2, "`loader` in user.py"),
        (
            "class Rows:\n    def __iter__(self): yield X[:5], Y[:5]\nloader = Rows()",
            5,
            1,
            "`loader` in user.py",
        ),
        (
            "class Rows:\n    def __len__(self): return 40\n    def __getitem__(self, i): return X[i], Y[i]\n"
            "dataset = Rows()",
            32,
            2,
            "`dataset` in user.py",
        ),
        ("data = [X, Y]", 70, 1, "`data` in user.py"),
        ("batch = 3\ndef get_batch(): return X[:2], Y[:2]", 2, 1, "`get_batch` in user.py"),
        ("def batch(n): return n\ndata = X[:3], Y[:3]", 3, 1, "`data` in user.py"),
        ("inputs, targets = X[:8], Y[:8]", 8, 1, "`inputs`, `targets` in user.py"),
        ("y = Y[:8]\nx = X[:8].numpy()", 8, 1, "`x`, `y` in user.py"),
        (
            ("class Stream(IterableDataset):\n    def __iter__(self): return iter(zip(X, Y))\ndataset = Stream()"),
            32,
            2,
            "`dataset` in user.py",
        ),
    ],
)
def test_the_usual_names_hold_batches_in_any_form(load, code, size, count, origin):
    target = load(DATA + MODEL + code, batches=2)
    assert target.picked[1] == f"batch: {origin}"
    assert (target.batch_size, len(target.batches)) == (size, count)
    assert target.forward(target.model, target.batches[0]).loss_source == "guessed: cross_entropy"


def test_a_batch_may_be_named_here_or_in_another_file(load, write):
    write("def three(): return torch.ones(3, 3), torch.zeros(3, dtype=torch.long)", name="other.py")
    code = MODEL + "class Data:\n    batch = X[:2], Y[:2]"
    assert load(code, batch="Data.batch").batch_size == 2
    assert load(code, batch="other.py:three").batch_size == 3


@pytest.mark.parametrize(
    ("code", "options", "error", "text"),
    [
        ("del X", {}, TargetError, "no batch is found in user.py"),
        ("", {"batch": "bacth"}, TargetError, "has no `bacth`"),
        ("loader = DataLoader(TensorDataset(X[:0], Y[:0]))", {}, TargetError, "is empty: it gave no batch"),
        ("batch = []", {}, TargetError, "is empty"),
        ("def batch(n): return X", {"batch": "batch"}, TargetError, "needs `n`"),
        ("def batch(): return None", {}, TargetError, "is None, which is no batch"),
        (
            "def batch(): return X / Q",
            {},
            UserCodeError,
            "reading a batch from `batch` in user.py raised NameError",
        ),
        ("batch = (X, Y)", {"target": "int64[70]"}, UsageError, "already holds a target"),
        ("", {"inputs": ("float32[1,3]",), "batch": "b"}, UsageError, "exclude each other"),
        ("", {"inputs": ("a=float32[1]", "a=float32[1]")}, UsageError, "gives `a` twice"),
        ("", {"batch": "none.pt"}, TargetError, "no file `none.pt`"),
        (
            "",
            {"inputs": ("float32[2,3]", "float32[2]")},
            UsageError,
            r"given 2 times, and forward\(\) takes 1",
        ),
        ("", {"inputs": ("float32[999999999,9999]",)}, UserCodeError, "ran out of memory"),
        ("batch = X", {"target_column": "y"}, UsageError, "--target-column needs a .csv"),
    ],
)
def test_what_can_be_wrong_with_a_batch_is_said(load, code, options, error, text):
    with pytest.raises(error, match=text):
        load(DATA + MODEL + code, **options)


def test_without_a_batch_the_hint_fits_the_model(load):
    with pytest.raises(TargetError) as error:
        load("model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(12, 2))")
    assert '--input "float32[8,3,32,32]"' in error.value.hint


def test_a_loader_that_drops_its_only_batch_is_explained(load):
    with pytest.raises(TargetError) as error:
        load(DATA + MODEL + "loader = DataLoader(TensorDataset(X, Y), batch_size=100, drop_last=True)")
    assert "drop_last=True" in error.value.hint


def test_synthetic_batches_are_repeatable_named_and_drawn_for_each(load):
    code = (
        "class M(nn.Linear):\n"
        "    def forward(self, x, scale, shift=0): return super().forward(x) * scale + shift\n"
        "model = M(3, 2)"
    )
    options = {"inputs": ("float32[4,3]", "shift=float32[2]", "float32[1]"), "target": "int64[4] in 0..2"}
    target = load(code, batches=2, **options)
    inputs, labels = target.batches[0]
    assert {name: tuple(t.shape) for name, t in inputs.items()} == {"x": (4, 3), "scale": (1,), "shift": (2,)}
    assert labels.dtype is torch.int64
    assert not torch.equal(inputs["x"], target.batches[1][0]["x"])
    assert target.forward(target.model, target.batches[0]).loss.requires_grad


def test_unnamed_inputs_alone_have_no_target(run):
    code = "class M(nn.Linear):\n    def forward(self, a, b): return super().forward(a + b)\nmodel = M(3, 2)"
    result = run(code, inputs=("float32[4,3]", "float32[4,3]"))
    assert result.target is None
    assert result.loss_source == "guessed: mean of output squared (there is no target)"


def files(folder):
    x, y = np.arange(12.0).reshape(4, 3), np.array([0, 1, 1, 0])
    torch.save((torch.tensor(x).float(), torch.tensor(y)), folder / "pair.pt")
    torch.save({"input": torch.tensor(x).float(), "label": torch.tensor(y)}, folder / "dict.pt")
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    np.savez(folder / "xy.npz", X=x, target=y)
    np.savez(folder / "order.npz", first=x, second=y)
    np.savez(folder / "keras.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    save_file({"images": torch.tensor(x).float(), "labels": torch.tensor(y)}, folder / "xy.safetensors")
    (folder / "named.csv").write_text(
        "a,b,y,c\n" + "\n".join(f"{a},{b},{t},{c}" for (a, b, c), t in zip(x, y, strict=True))
    )
    (folder / "plain.csv").write_text("\n".join(f"{a};{b};{c};{t}" for (a, b, c), t in zip(x, y, strict=True)))


@pytest.mark.parametrize(
    "options",
    [
        {"batch": "pair.pt"},
        {"batch": "dict.pt"},
        {"batch": "x.npy", "target": "y.npy"},
        {"inputs": ("x.npy",), "target": "y.npy"},
        {"batch": "xy.npz"},
        {"batch": "order.npz"},
        {"batch": "keras.npz"},
        {"batch": "xy.safetensors"},
        {"batch": "named.csv"},
        {"batch": "plain.csv", "target_column": "3"},
        {"batch": "plain.csv", "target_column": "-1"},
    ],
)
def test_data_files_of_every_kind_give_the_same_batch(load, tmp_path, options):
    files(tmp_path)
    target = load("model = nn.Linear(3, 2)\nwith torch.no_grad(): model.weight.fill_(0.1)", **options)
    result = target.forward(target.model, target.batches[0])
    expected = torch.arange(12.0).reshape(4, 3)
    assert torch.equal(result.target, torch.tensor([0, 1, 1, 0]))
    torch.testing.assert_close(result.output, target.model(expected))
    assert result.loss_source == "guessed: cross_entropy"


def test_arrays_that_are_left_out_are_named(load, tmp_path):
    files(tmp_path)
    picked = load("model = nn.Linear(3, 2)", batch="keras.npz").picked[1]
    assert picked == "batch: keras.npz (not used: `x_test`, `y_test`)"


def test_a_whole_data_set_is_cut_into_batches(load, tmp_path):
    np.savez(tmp_path / "big.npz", x=np.zeros((600, 3)), y=np.zeros(600, dtype=np.int64))
    target = load("model = nn.Linear(3, 2)", batch="big.npz", batches=3)
    assert [len(batch[1]) for batch in target.batches] == [256, 256, 88]
    assert target.picked[1] == "batch: the first 600 of 600 rows of big.npz"


def test_arrays_named_as_forwards_parameters_go_in_by_name(load, tmp_path):
    np.savez(tmp_path / "n.npz", q=np.ones((2, 3)), k=np.zeros((2, 3)), y=np.zeros(2, dtype=np.int64))
    code = "class M(nn.Linear):\n    def forward(self, k, q): return super().forward(q - k)\nmodel = M(3, 2)"
    target = load(code, batch="n.npz")
    torch.testing.assert_close(
        target.forward(target.model, target.batches[0]).output,
        nn.Linear.forward(target.model, torch.ones(2, 3)),
    )


class Opaque:
    pass


def broken(folder):
    (folder / "text.pt").write_text("hello")
    (folder / "empty.pt").write_bytes(b"")
    torch.save(Opaque(), folder / "object.pt")
    (folder / "corrupt.npz").write_bytes(b"PK\x03\x04 nothing")
    (folder / "text.npy").write_text("hello")
    np.save(folder / "object.npy", np.array([Opaque()], dtype=object), allow_pickle=True)
    np.savez(folder / "object.npz", x=np.array([{}], dtype=object))
    np.savez(folder / "none.npz")
    np.save(folder / "words.npy", np.array(["a", "b"]))
    (folder / "bad.safetensors").write_bytes(b"1234567890")
    (folder / "words.csv").write_text("a,y\n1,2\n3,setosa\n")
    (folder / "ragged.csv").write_text("a,y\n1,2\n3\n")
    (folder / "header.csv").write_text("a,y\n")
    (folder / "latin.csv").write_bytes(b"a,y\n1,\xff\n")
    (folder / "pickle.npz").write_bytes(pickle.dumps({"x": 1}))


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("text.pt", "cannot be read", "damaged"),
        ("empty.pt", "cannot be read", "damaged"),
        (
            "object.pt",
            r"holds pickled Python objects \(`\S*Opaque`\)",
            "--trust-pickle would load it by running",
        ),
        ("corrupt.npz", "corrupt.npz cannot be read", "damaged"),
        ("text.npy", "text.npy cannot be read", "damaged"),
        ("object.npy", "object.npy holds pickled", "--trust-pickle"),
        ("object.npz", "object.npz holds pickled", "--trust-pickle"),
        ("none.npz", "holds no arrays", "Save the inputs"),
        ("pickle.npz", "pickle.npz cannot be read", "damaged"),
        ("words.npy", "holds <U1 values, not numbers", "Encode"),
        ("bad.safetensors", "cannot be read", "damaged"),
        ("words.csv", "row 3, column `y`: `setosa` is not a number", "Encode"),
        ("ragged.csv", "row 3 has 1 cells where others have 2", "Mend"),
        ("header.csv", "has no rows", "at least one row"),
        ("latin.csv", "cannot be read", "UTF-8"),
    ],
)
def test_broken_files_say_what_is_wrong_and_what_to_do(load, tmp_path, name, text, hint):
    broken(tmp_path)
    with pytest.raises(TargetError, match=text) as error:
        load("model = nn.Linear(3, 2)", batch=name)
    assert hint in error.value.hint


def test_a_pickled_file_is_loaded_when_it_is_trusted(load, tmp_path):
    torch.save(OrderedDict(input=np.ones((2, 3), dtype=np.float32)), tmp_path / "numpy.pt")
    assert load("model = nn.Linear(3, 2)", batch="numpy.pt", trust_pickle=True).batch_size == 2


@pytest.mark.parametrize(
    ("column", "text"), [("z", "no column `z`"), ("9", "no column `9`"), ("targt", "did you mean `target`")]
)
def test_an_unknown_target_column_is_a_usage_error(load, tmp_path, column, text):
    (tmp_path / "d.csv").write_text("a,target\n1,2\n")
    with pytest.raises(UsageError, match=text) as error:
        load("model = nn.Linear(1, 2)", batch="d.csv", target_column=column)
    assert error.value.hint == "It has `a`, `target`."


def test_csv_targets_are_whole_numbers_or_floats_and_empty_cells_nan(load, tmp_path):
    (tmp_path / "d.csv").write_text("a,y\n1,0.5\n,2\n")
    inputs, target = load("model = nn.Linear(1, 1)", batch="d.csv").batches[0]
    assert target.tolist() == [0.5, 2.0]
    assert inputs.isnan().tolist() == [[False], [True]]


Point = namedtuple("Point", "x y")


@dataclass(frozen=True)
class Frozen:
    x: torch.Tensor
    n: int = field(init=False, default=3)


def test_moving_keeps_every_container_and_alters_none():
    ones = torch.ones(2, 3)
    packed = nn.utils.rnn.pack_sequence([torch.ones(3, 1), torch.ones(2, 1)])
    value = {
        "list": [ones, (ones.long(), Point(ones, "text"))],
        "data": Frozen(ones),
        "ordered": OrderedDict(a=ones),
        "packed": packed,
        "numpy": np.ones(2),
        "none": None,
    }
    moved = move(value, torch.device("cpu"), torch.float64)
    assert moved["list"][0].dtype is torch.float64
    assert moved["list"][1][0].dtype is torch.int64
    assert type(moved["list"][1][1]) is Point and moved["list"][1][1].y == "text"
    assert moved["data"].x.dtype is torch.float64 and moved["data"].n == 3
    assert type(moved["ordered"]) is OrderedDict
    assert type(moved["packed"]) is type(packed) and moved["packed"].data.dtype is torch.float64
    assert moved["numpy"].dtype is torch.float64
    assert value["data"].x is ones and value["ordered"]["a"] is ones and isinstance(value["numpy"], np.ndarray)
    assert json.dumps(sorted(moved)) == json.dumps(sorted(value))


def test_the_batch_size_is_the_first_tensors_first():
    packed = nn.utils.rnn.pack_sequence([torch.ones(3, 1), torch.ones(2, 1)])
    assert batch_size((packed, torch.ones(9))) == 2
    assert batch_size({"a": torch.tensor(1.0), "b": [torch.ones(5, 2)]}) == 5
    assert batch_size("text") is None


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


def test_only_a_pickle_is_worth_trusting(load, tmp_path):
    (tmp_path / "text.pt").write_text("nonsense")
    with pytest.raises(TargetError, match=r"text\.pt cannot be read") as error:
        load("model = nn.Linear(3, 2)", batch="text.pt")
    assert "trust" not in error.value.hint


def test_a_module_is_no_batch(load):
    with pytest.raises(TargetError, match=r"is a module \(Linear\), which is no batch"):
        load("model = nn.Linear(3, 2)", batch="model")
