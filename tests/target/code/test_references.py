"""`path/file.py[:NAME]` and `package.module[:NAME]`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.errors import TargetError, UsageError
from gradcheck_cli.suffixes import DATA, WEIGHTS
from gradcheck_cli.target.code.references import (
    Reference,
    check_file,
    is_data_file,
    parse_model,
    parse_object,
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "pkg").mkdir()
    for name in ("m.py", "sub/net.py", "pkg/__init__.py", "notes.txt", "notebook.ipynb", "OTHER.PY"):
        (tmp_path / name).write_text("")
    for suffix in WEIGHTS:
        (tmp_path / f"w{suffix}").write_text("")


def reference(location, name="", is_file=True):
    return Reference(location=location, name=name, is_file=is_file)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("m.py", reference("m.py")),
        ("OTHER.PY", reference("OTHER.PY")),
        ("m.py:Net", reference("m.py", "Net")),
        ("m.py:Outer.build", reference("m.py", "Outer.build")),
        ("sub/net.py:net", reference("sub/net.py", "net")),
        ("./m.py:net", reference("./m.py", "net")),
        ("pkg", reference("pkg", is_file=False)),
        ("pkg.net", reference("pkg.net", is_file=False)),
        ("pkg.net:Net.build", reference("pkg.net", "Net.build", is_file=False)),
        ("größe.netz:Modell", reference("größe.netz", "Modell", is_file=False)),
    ],
)
def test_a_model_is_a_file_or_a_module_and_maybe_a_name(text, found):
    assert parse_model(text) == found


@pytest.mark.parametrize(
    ("text", "error", "told", "hint"),
    [
        ("n.py", TargetError, "there is no file `n.py`; did you mean `m.py`", "Paths are taken from"),
        ("sub/nets.py:net", TargetError, "no file `sub/nets.py`; did you mean `net.py`", ""),
        ("none/net.py", TargetError, r"\(nor a folder `none`\)", ""),
        ("sub/", TargetError, "`sub/` is a folder", "Name a file"),
        ("sub", TargetError, "`sub` is a folder", ""),
        ("notes.txt", UsageError, "is not a Python file", "into a .py file"),
        ("notebook.ipynb", UsageError, "is not a Python file", ""),
        *((f"w{s}", UsageError, "holds weights, not code", f"--weights w{s}") for s in WEIGHTS),
        ("a-b", UsageError, "neither a Python file nor a module", "package.module:NAME"),
        ("", UsageError, "neither a Python file nor a module", ""),
        ("1x", UsageError, "neither a Python file nor a module", ""),
        ("pkg..net", UsageError, "neither a Python file nor a module", ""),
        ("pkg:", UsageError, "neither a Python file nor a module", ""),
    ],
)
def test_what_is_neither_is_told_with_what_to_write(text, error, told, hint):
    with pytest.raises(error, match=told) as raised:
        parse_model(text)
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("loss", reference("", "loss", is_file=False)),
        ("nn.functional", reference("", "nn.functional", is_file=False)),
        ("m.py:loss", reference("m.py", "loss")),
        ("pkg.losses:mine", reference("pkg.losses", "mine", is_file=False)),
    ],
)
def test_an_object_is_a_name_here_or_in_a_file(text, found):
    assert parse_object(text, "--loss") == found


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("m.py", UsageError, "--loss `m.py` names no object"),
        ("sub/net.py", UsageError, "names no object"),
        ("none.py:f", TargetError, "--loss: there is no file `none.py`"),
        ("a b", UsageError, "--loss `a b` is not a name"),
        ("", UsageError, "--loss `` is not a name"),
    ],
)
def test_what_names_no_object_is_told_under_its_option(text, error, told):
    with pytest.raises(error, match=told):
        parse_object(text, "--loss")


def test_the_colon_of_a_drive_belongs_to_the_path():
    with pytest.raises(TargetError, match=r"there is no file `C:\\nets\\m\.py`"):
        parse_model(r"C:\nets\m.py")
    with pytest.raises(TargetError, match=r"there is no file `C:\\nets\\m\.py`"):
        parse_model(r"C:\nets\m.py:Net")


IDENTIFIERS = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True)
DOTTED = st.lists(IDENTIFIERS, min_size=1, max_size=3).map(".".join)


@given(module=DOTTED.filter(lambda text: text.split(".")[-1] not in ("py", "pt", "pth", "bin", "ckpt")), name=DOTTED)
def test_a_module_and_its_name_are_split_at_the_colon(module, name):
    found = parse_model(f"unlikely_{module}:{name}")
    assert (found.location, found.name, found.is_file) == (f"unlikely_{module}", name, False)


@pytest.mark.parametrize("suffix", DATA)
def test_data_files_are_known_by_their_ending_in_any_case(suffix):
    assert is_data_file(f"folder/x{suffix}") and is_data_file(f"x{suffix.upper()}")
    assert not is_data_file(f"{suffix.lstrip('.')}:x")


def test_a_spec_and_code_are_no_data_files():
    assert not any(map(is_data_file, ("float32[8,3]", "m.py:batch", "batch", "ids=int64[4] in 0..10", "")))


def test_a_file_that_is_there_passes():
    assert check_file("m.py", "--weights") is None
