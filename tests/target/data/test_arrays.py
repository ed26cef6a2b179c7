"""Data files and specs as batches: which array is the input, and how many rows make a batch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from gradcheck_cli.errors import TargetError, UsageError
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.target.data.arrays import described_batches, draw, file_batches, file_samples, target_tensor
from gradcheck_cli.target.data.tensorspec import TensorSpec, parse_tensor


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


def spec(**options):
    return CheckSpec(model="m.py", **options)


class Pair(nn.Linear):
    def __init__(self):
        super().__init__(3, 2)

    def forward(self, a, b, *, scale=1):
        return super().forward(a + b) * scale


def npz(tmp_path, **arrays):
    np.savez(tmp_path / "d.npz", **arrays)
    return str(tmp_path / "d.npz")


@pytest.mark.parametrize("x", ["x", "inputs", "input", "images", "image", "features", "data", "X_train"])
@pytest.mark.parametrize("y", ["y", "labels", "target", "Y_Train"])
def test_the_usual_names_of_arrays_are_known_in_any_case(tmp_path, x, y):
    path = npz(tmp_path, **{y: np.zeros(4), "other": np.ones(4), x: np.ones((4, 3))})
    ((inputs, target),), told = file_batches(spec(), path, nn.Linear(3, 2))
    assert (inputs.shape, target.shape) == ((4, 3), (4,))
    assert told == f"{path} (not used: `other`)"


def test_arrays_of_unknown_names_are_inputs_in_order_and_the_last_the_target(tmp_path):
    path = npz(tmp_path, p=np.full((4, 3), 1.0), q=np.full((4, 3), 2.0), r=np.full(4, 3.0))
    ((inputs, target),), told = file_batches(spec(), path, Pair())
    assert [float(each[0, 0]) for each in inputs] == [1, 2]
    assert float(target[0]) == 3
    assert told == path


def test_a_single_array_of_an_unknown_name_has_no_target(tmp_path):
    ((inputs, target),), _ = file_batches(spec(), npz(tmp_path, only=np.ones((4, 3))), nn.Linear(3, 2))
    assert len(inputs) == 1 and target is None


def test_names_of_forwards_parameters_come_before_the_usual_ones(tmp_path):
    path = npz(tmp_path, b=np.full((4, 3), 2.0), a=np.full((4, 3), 1.0))
    (batch,), _ = file_batches(spec(), path, Pair())
    assert {name: float(each[0, 0]) for name, each in batch.items()} == {"a": 1.0, "b": 2.0}


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 1200), count=st.integers(1, 6))
def test_the_batches_of_a_file_are_its_first_rows_in_order(tmp_path_factory, rows, count):
    path = tmp_path_factory.getbasetemp() / "rows.npy"
    np.save(path, np.arange(rows))
    batches, told = file_batches(spec(batches=count), str(path), nn.Linear(1, 1))
    assert torch.cat(batches).tolist() == list(range(min(rows, 256 * count) if rows > 256 else rows))
    assert all(len(batch) == 256 for batch in batches[:-1])
    assert ("the first" in told) == (rows > 256)


def test_arrays_of_different_lengths_are_one_batch(tmp_path):
    path = npz(tmp_path, x=np.zeros((600, 3)), y=np.zeros(3))
    (batch,), told = file_batches(spec(batches=3), path, nn.Linear(3, 2))
    assert (len(batch[0]), len(batch[1]), told) == (600, 3, path)


def test_a_number_alone_has_no_rows_to_cut(tmp_path):
    np.save(tmp_path / "n.npy", np.float32(3))
    (batch,), _ = file_batches(spec(batches=2), str(tmp_path / "n.npy"), nn.Linear(1, 1))
    assert batch.ndim == 0 and float(batch) == 3


def test_inputs_that_are_not_named_take_the_names_that_are_free():
    (batch,) = described_batches(spec(inputs=("float32[2,3]", "a=float32[4,3]", "float32[]")), Pair3())
    assert {name: tuple(each.shape) for name, each in batch.items()} == {"b": (2, 3), "a": (4, 3), "c": ()}


class Pair3(Pair):
    def forward(self, a, b, c):
        return super().forward(a, b) * c


def test_inputs_without_names_stay_in_their_order():
    model = Pair()
    ((inputs, target),) = described_batches(spec(inputs=("float32[2,3]", "int64[5]"), target="int64[2]"), model)
    assert [tuple(each.shape) for each in inputs] == [(2, 3), (5,)]
    assert tuple(target.shape) == (2,)


def test_more_inputs_than_forward_takes_are_refused_with_its_parameters():
    with pytest.raises(UsageError, match=r"given 3 times, and forward\(\) takes 2") as error:
        described_batches(spec(inputs=("float32[1]",) * 3), Pair0())
    assert error.value.hint == "It takes `a`, `b`."
    with pytest.raises(UsageError) as error:
        described_batches(spec(inputs=("float32[1]",)), Nothing())
    assert error.value.hint == "It takes nothing."


class Pair0(Pair):
    def forward(self, a, b):
        return super().forward(a, b)


class Nothing(nn.Module):
    def forward(self):
        return 1


@pytest.mark.parametrize("name", ["x.csv", "x.npz", "x.safetensors"])
def test_a_file_of_several_tensors_is_no_input(name):
    with pytest.raises(UsageError, match="--target takes one tensor") as error:
        target_tensor(spec(target=name))
    assert error.value.hint == f"For {name} write --batch {name}."


def test_a_target_is_drawn_read_or_absent(tmp_path):
    torch.save(torch.arange(3), tmp_path / "t.pt")
    assert target_tensor(spec(target=str(tmp_path / "t.pt"))).tolist() == [0, 1, 2]
    assert target_tensor(spec(target="int64[5] in 3..4")).tolist() == [3] * 5
    assert target_tensor(spec()) is None


@settings(max_examples=60, deadline=None)
@given(
    dtype=st.sampled_from(["int8", "int16", "int32", "int64", "uint8", "float32", "float64", "bfloat16", "float16"]),
    low=st.integers(0, 50),
    width=st.integers(1, 50),
    shape=st.lists(st.integers(0, 4), max_size=3).map(tuple),
)
def test_a_tensor_is_drawn_within_its_range(dtype, low, width, shape):
    drawn = draw(TensorSpec(name="", dtype=dtype, shape=shape, bounds=(float(low), float(low + width))))
    assert drawn.dtype is getattr(torch, dtype)
    assert tuple(drawn.shape) == shape
    inside = (drawn.double() >= low) & (drawn.double() <= low + width)
    assert bool(inside.all())
    assert dtype.startswith(("float", "bfloat")) or bool((drawn < low + width).all())


def test_drawing_follows_the_seed():
    torch.manual_seed(3)
    first = draw(parse_tensor("float32[4]", "--input"))
    torch.manual_seed(3)
    assert torch.equal(first, draw(parse_tensor("float32[4]", "--input")))


def test_a_file_without_arrays_says_what_to_save(tmp_path):
    with pytest.raises(TargetError, match="holds no arrays") as error:
        file_batches(spec(), npz(tmp_path), nn.Linear(3, 2))
    assert "`x`" in error.value.hint


def test_the_lines_of_a_table_are_counted_as_an_editor_does(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("a,y\n" + "1,2\n" * 300)
    found = file_samples(spec(), str(path), 2)
    assert [(s.kind, s.first, s.columns) for s in found] == [("line", 2, ("a",)), ("line", 258, ("a",))]
    assert file_samples(spec(), str(tmp_path / "d.npy"), 2) == ()
