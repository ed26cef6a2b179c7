"""The user's files and modules: imported once, under a name of their own."""

import sys

import pytest

from gradcheck_cli.errors import TargetError, UsageError, UserCodeError
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.target import load_target
from gradcheck_cli.target.code.importing import Imports
from gradcheck_cli.target.code.references import parse_model

BATCH = "def batch(): return torch.randn(4, 3), torch.randint(0, 2, (4,))\n"


@pytest.mark.parametrize(
    ("model", "error", "text"),
    [
        ("usr.py", TargetError, "no file `usr.py`; did you mean `user.py`"),
        ("nowhere/user.py", TargetError, "nor a folder `nowhere`"),
        ("sub", UsageError, "is a folder|not a Python file"),
        ("weights.pt", UsageError, "holds weights, not code"),
        ("notes.txt", UsageError, "not a Python file"),
        ("not-a-module", UsageError, "neither a Python file nor a module"),
        ("no_such_module.net", TargetError, "there is no module `no_such_module`"),
        ("user", None, ""),
        ("user.missing:model", TargetError, "there is no module `user.missing`"),
    ],
)
def test_module_and_file_names_are_told_apart(write, model, error, text):
    folder = write(BATCH + "model = nn.Linear(3, 2)").parent
    (folder / "sub").mkdir()
    (folder / "weights.pt").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    sys.modules.pop("user", None)
    try:
        if error is None:
            assert load_target(CheckSpec(model=model)).name == "user:model"
        else:
            with pytest.raises((error, TargetError), match=text):
                load_target(CheckSpec(model=model))
    finally:
        sys.modules.pop("user", None)


def test_a_file_sees_its_neighbours_and_not_gradchecks_arguments(write, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gradcheck", "check", "--bogus"])
    write("WIDTH = 7", name="proj/neighbour_a.py")
    write(
        BATCH + "import argparse\nargparse.ArgumentParser().parse_args()\n"
        "def build_model():\n    from neighbour_a import WIDTH\n    return nn.Linear(3, WIDTH)\n"
        "if __name__ == '__main__': raise ValueError",
        name="proj/train.py",
    )
    assert load_target(CheckSpec(model="proj/train.py")).model.out_features == 7
    assert sys.argv == ["gradcheck", "check", "--bogus"]


def test_a_file_in_a_package_uses_relative_imports(write):
    write("", name="mypkg/__init__.py")
    write("WIDTH = 9", name="mypkg/sizes.py")
    write(BATCH + "from .sizes import WIDTH\nmodel = nn.Linear(3, WIDTH)", name="mypkg/net.py")
    assert load_target(CheckSpec(model="mypkg/net.py")).model.out_features == 9
    assert load_target(CheckSpec(model="mypkg.net:model")).model.out_features == 9


def test_dataclasses_and_pickle_find_the_users_module(load):
    code = (
        "import dataclasses, pickle\n"
        "@dataclasses.dataclass\n"
        "class C:\n"
        "    n: 'int' = 3\n"
        "n = pickle.loads(pickle.dumps(C())).n\n"
        "model = nn.Linear(n, 2)"
    )
    assert load(BATCH + code).model.in_features == 3


def imported(text, imports=None):
    return (imports or Imports()).get(parse_model(text))


def test_a_file_that_is_named_twice_runs_once(write):
    path = write("RUNS = []\nRUNS.append(1)", header="")
    imports = Imports()
    first = imported("user.py", imports)
    assert imported("./user.py:anything", imports) is first
    assert imported(str(path), imports) is first
    assert first.get("RUNS") == [1]
    assert imported("user.py").get("RUNS") == [1]
    assert imported("user.py") is not first


@pytest.mark.parametrize("name", ["types.py", "test.py", "torch.py", "with-dash.py", "1st.py"])
def test_a_file_never_stands_in_for_another_module(write, name):
    known = sys.modules.get(name.removesuffix(".py"))
    write("VALUE = 3", name=name, header="")
    assert imported(name).get("VALUE") == 3
    assert sys.modules.get(name.removesuffix(".py")) is known


def test_a_file_that_raises_leaves_no_module_behind(write):
    write("import sys\nhere = sys.modules[__name__]\nraise OSError('disk')", header="")
    before = set(sys.modules)
    with pytest.raises(UserCodeError, match=r"importing user\.py raised OSError: disk") as error:
        imported("user.py")
    assert set(sys.modules) == before
    assert error.value.frames == ("  user.py:3 in <module>\n    raise OSError('disk')",)


def test_a_package_of_a_taken_name_is_run_as_a_file(write):
    write("", name="one/mypkg/__init__.py", header="")
    write("VALUE = 1", name="one/mypkg/net.py", header="")
    write("", name="two/mypkg/__init__.py", header="")
    write("VALUE = 2", name="two/mypkg/net.py", header="")
    first, second = imported("one/mypkg/net.py"), imported("two/mypkg/net.py")
    assert (first.get("VALUE"), second.get("VALUE")) == (1, 2)
    assert first.module.__name__ == "mypkg.net"
    assert second.module.__name__.startswith("gradcheck_target_net_")


NAMES = """
import json
from textwrap import dedent

SIZE = 3
_hidden = 4


class Net:
    class Inner:
        depth = 7

    @property
    def broken(self):
        raise RuntimeError("no")


def build(): ...


made = Net()
"""


def test_own_names_are_what_a_module_defines_itself(write):
    write(NAMES, header="")
    assert imported("user.py").own_names() == ["SIZE", "Net", "build", "made"]


def test_a_dotted_name_is_followed_and_a_plain_one_found(write):
    write(NAMES, header="")
    source = imported("user.py")
    assert source.get("Net.Inner.depth") == 7
    assert source.find("SIZE") == 3
    assert source.find("Net.Inner") is None
    assert source.find("missing") is None


@pytest.mark.parametrize("name", ["Nett", "Net.Iner", "SIZE.real.x"])
def test_a_name_that_is_not_there_is_told_with_those_that_are(write, name):
    write(NAMES, header="")
    with pytest.raises(TargetError, match=rf"user\.py has no `{name}`") as error:
        imported("user.py").get(name)
    assert error.value.hint == "It has `SIZE`, `Net`, `build`, `made`."


def test_an_empty_file_has_no_name_to_suggest(write):
    write("", header="")
    with pytest.raises(TargetError) as error:
        imported("user.py").get("model")
    assert (error.value.message, error.value.hint) == ("user.py has no `model`", "It defines no name of its own.")


def test_an_attribute_that_raises_is_the_users_own(write):
    write(NAMES, header="")
    with pytest.raises(UserCodeError, match=r"reading `made\.broken` in user\.py raised RuntimeError: no"):
        imported("user.py").get("made.broken")


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("neighbour_x", TargetError, "there is no module `neighbour_x`"),
        ("neighbour_b", UserCodeError, "importing neighbour_b needs the module `missing_dependency`"),
        ("neighbour_c", UserCodeError, r"importing neighbour_c called sys\.exit\(3\)"),
        ("neighbour_d", UserCodeError, "importing neighbour_d raised ImportError"),
    ],
)
def test_a_missing_module_a_missing_dependency_and_code_that_raises_are_told_apart(write, text, error, told):
    write("import missing_dependency", name="neighbour_b.py", header="")
    write("import sys\nsys.exit(3)", name="neighbour_c.py", header="")
    write("from json import nothing_of_the_kind", name="neighbour_d.py", header="")
    with pytest.raises(error, match=told):
        imported(text)


def test_a_file_behind_a_module_of_the_same_name_is_named_instead(write):
    write("VALUE = 1", name="json/net.py", header="")
    with pytest.raises(TargetError, match=r"there is no module `json\.net`") as error:
        imported("json.net")
    assert error.value.hint == "To name the file, write json/net.py."
    assert imported("json/net.py").get("VALUE") == 1
