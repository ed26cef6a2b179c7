import pytest
import torch

from gradcheck_cli.errors import TargetError, UsageError, UserCodeError

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
