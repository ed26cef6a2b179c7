"""Data files of every kind, and nothing unpickled unless it is trusted."""

import io
import pickle
import zipfile
from collections import OrderedDict
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from gradcheck_cli.errors import TargetError
from gradcheck_cli.target.data import storage
from gradcheck_cli.target.data.storage import read_npy, read_npz, read_pt, read_safetensors, to_tensor


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


def test_only_a_pickle_is_worth_trusting(load, tmp_path):
    (tmp_path / "text.pt").write_text("nonsense")
    with pytest.raises(TargetError, match=r"text\.pt cannot be read") as error:
        load("model = nn.Linear(3, 2)", batch="text.pt")
    assert "trust" not in error.value.hint


class Touching:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.fixture
def touching(tmp_path):
    """Files of each kind whose unpickling leaves a trace, and the traces."""
    traces = {ending: tmp_path / f"{ending}.trace" for ending in ("pt", "npy", "npz")}
    objects = {ending: np.array([Touching(str(trace))], dtype=object) for ending, trace in traces.items()}
    torch.save(Touching(str(traces["pt"])), tmp_path / "a.pt")
    np.save(tmp_path / "a.npy", objects["npy"], allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=objects["npz"])
    return traces


READERS = {"pt": read_pt, "npy": read_npy, "npz": read_npz}


@pytest.mark.parametrize("ending", READERS)
def test_code_in_a_file_runs_only_where_it_is_trusted(tmp_path, touching, ending):
    path = str(tmp_path / f"a.{ending}")
    with pytest.raises(TargetError, match="holds pickled Python objects"):
        READERS[ending](path, trust_pickle=False)
    assert not touching[ending].exists()
    with suppress(TargetError):  # an array of file handles holds no numbers
        READERS[ending](path, trust_pickle=True)
    assert touching[ending].exists()


def test_a_trusted_file_that_raises_is_told(tmp_path):
    torch.save({"x": Unreadable()}, tmp_path / "u.pt")
    with pytest.raises(TargetError, match=r"u\.pt cannot be read: ArithmeticError: not again"):
        read_pt(str(tmp_path / "u.pt"), trust_pickle=True)


class Unreadable:
    def __reduce__(self):
        return refuse, ()


def refuse():
    raise ArithmeticError("not again\nnor later")


def test_what_torch_saved_comes_back_on_the_cpu(tmp_path):
    stored = {"a": torch.arange(3), "b": [torch.ones(2), "text", 3], "c": OrderedDict(d=None)}
    torch.save(stored, tmp_path / "s.pt")
    found = read_pt(str(tmp_path / "s.pt"), trust_pickle=False)
    assert torch.equal(found["a"], stored["a"]) and torch.equal(found["b"][0], stored["b"][0])
    assert (found["b"][1:], found["c"]) == (["text", 3], OrderedDict(d=None))


@settings(max_examples=40, deadline=None)
@given(
    dtype=st.sampled_from(["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool"]),
    shape=st.lists(st.integers(0, 3), max_size=3).map(tuple),
    reversed_rows=st.booleans(),
)
def test_an_array_keeps_its_values(dtype, shape, reversed_rows):
    array = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape).astype(dtype)
    if reversed_rows and array.ndim:
        array = array[::-1]
    tensor = to_tensor(array, "x")
    assert tensor.tolist() == array.tolist()
    assert tensor.dtype is (torch.float32 if dtype == "float64" else getattr(torch, dtype))


def test_a_tensor_of_an_array_shares_no_memory_with_it():
    array = np.zeros(3, dtype=np.float32)
    array.setflags(write=False)
    tensor = to_tensor(array, "x")
    tensor.fill_(1)
    assert array.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.array(["a"]), "<U1"),
        (np.array(["2024-01-01"], dtype="M8[D]"), r"datetime64\[D\]"),
        (np.array([{}]), "object"),
    ],
)
def test_values_that_are_no_numbers_are_named(array, dtype):
    with pytest.raises(TargetError, match=f"x holds {dtype} values, not numbers"):
        to_tensor(array, "x")


def test_named_arrays_come_back_by_their_names(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones(2, dtype=np.float32), y=np.zeros(3, dtype=np.int64))
    save_file({"x": torch.ones(2), "y": torch.zeros(3, dtype=torch.int64)}, tmp_path / "a.safetensors")
    found = read_npz(str(tmp_path / "a.npz"), trust_pickle=False)
    same = read_safetensors(str(tmp_path / "a.safetensors"))
    assert found.keys() == same.keys() == {"x", "y"}
    assert all(torch.equal(found[name], same[name]) for name in found)


def test_a_plain_array_or_pickle_under_another_name_is_damaged_and_not_to_be_trusted(tmp_path):
    np.save(tmp_path / "a.npy", np.ones(3))
    (tmp_path / "plain.npz").write_bytes((tmp_path / "a.npy").read_bytes())
    (tmp_path / "pickled.npz").write_bytes(pickle.dumps([1]))
    for name in ("plain.npz", "pickled.npz"):
        with pytest.raises(TargetError, match=f"{name} cannot be read") as error:
            read_npz(str(tmp_path / name), trust_pickle=False)
        assert "trust" not in error.value.hint


@pytest.mark.parametrize("name", ["none.pt", "none.npy", "none.npz", "none.safetensors"])
def test_a_file_that_is_not_there_is_an_error_of_the_target(tmp_path, name):
    path = str(tmp_path / name)
    with pytest.raises(TargetError, match="cannot be read"):
        if name.endswith(".safetensors"):
            read_safetensors(path)
        else:
            READERS[name[5:]](path, trust_pickle=False)


def _npy(header: str, body: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


def _zipped(entries: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, held in entries.items():
            archive.writestr(name, held)
    return stream.getvalue()


EIGHT_TB = _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2000000000000,)}")


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("claims.npy", EIGHT_TB),
        ("claims.npz", _zipped({"x.npy": EIGHT_TB})),
        ("brackets.npy", _npy("(" * 900)),
        ("negative.npy", _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-4, 4)}")),
        ("code.npy", _npy("__import__('os').abort()")),
        ("short.npy", b"\x93NUM"),
    ],
)
def test_a_header_is_held_against_its_file_before_room_is_made(tmp_path, name, held):
    (tmp_path / name).write_bytes(held)
    read = READERS[name[-3:]]
    with pytest.raises(TargetError, match="claims 8 TB" if "claims" in name else "cannot be read"):
        read(str(tmp_path / name), trust_pickle=False)


@pytest.mark.parametrize("ending", ["npz", "pt"])
def test_an_archive_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path, ending, monkeypatch):
    monkeypatch.setattr(storage, "_LARGEST_UNPACKED", 10**5)
    (tmp_path / f"bomb.{ending}").write_bytes(_zipped({"x/data.pkl": bytes(10**6)}))
    with pytest.raises(TargetError, match="unpacks to 1 MB from"):
        READERS[ending](str(tmp_path / f"bomb.{ending}"), trust_pickle=False)


def test_a_large_array_that_shrank_little_and_a_small_one_that_shrank_much_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "_LARGEST_UNPACKED", 10**5)
    noise = np.random.default_rng(0).standard_normal(20_000).astype(np.float32)
    np.savez_compressed(tmp_path / "noise.npz", x=noise)
    np.savez_compressed(tmp_path / "zeros.npz", x=np.zeros(20_000, np.float32))
    for name in ("noise", "zeros"):
        assert read_npz(str(tmp_path / f"{name}.npz"), trust_pickle=False)["x"].shape == (20_000,)
