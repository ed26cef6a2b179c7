"""Whether a function can be called with some arguments, asked before calling it."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gradcheck_cli.errors import TargetError, UsageError
from gradcheck_cli.target.code.signatures import check_settings, required, signature_of, takes

NET = "class Net(nn.Linear):\n    def __init__(self, wide=2): super().__init__(3, wide)\n"
BATCH = "def batch(): return torch.randn(4, 3), torch.randint(0, 2, (4,))\n"


def plain(a, b=1): ...
def keywords(a, *, b, c=1): ...
def positions(a, /, b): ...
def open_ended(*args, **kwargs): ...


class Built:
    def __init__(self, width, depth=2): ...

    def method(self, a): ...


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "can"),
    [
        (plain, (1,), {}, True),
        (plain, (1, 2), {}, True),
        (plain, (), {}, False),
        (plain, (1, 2, 3), {}, False),
        (plain, (1,), {"a": 2}, False),
        (keywords, (1,), {"b": 2}, True),
        (keywords, (1, 2), {}, False),
        (positions, (), {"a": 1, "b": 2}, False),
        (positions, (1,), {"b": 2}, True),
        (open_ended, (1, 2), {"z": 3}, True),
        (Built, (1,), {}, True),
        (Built, (), {}, False),
        (Built(1).method, (1,), {}, True),
        (partial(plain, 1), (), {}, True),
        (3, (), {}, False),
        (None, (), {}, False),
    ],
)
def test_a_call_is_judged_by_the_signature(function, args, kwargs, can):
    assert takes(function, *args, **kwargs) is can


def test_a_function_without_a_signature_is_given_the_benefit_of_the_doubt():
    assert signature_of(torch.relu) is None
    assert takes(torch.relu, 1, 2, 3)
    assert required(torch.relu) == []
    check_settings(torch.relu, "`relu`", {"anything": 1})


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (plain, ["a"]),
        (keywords, ["a", "b"]),
        (positions, ["a", "b"]),
        (open_ended, []),
        (Built, ["width"]),
        (partial(plain, b=3), ["a"]),
        (nn.Linear, ["in_features", "out_features"]),
    ],
)
def test_what_has_no_default_is_required(function, names):
    assert required(function) == names


@given(given_names=st.sets(st.sampled_from("abcz")))
def test_settings_are_refused_exactly_where_the_call_would_be(given_names):
    settings = dict.fromkeys(given_names, 1)
    if takes(keywords, **settings):
        check_settings(keywords, "`keywords`", settings)
    else:
        with pytest.raises((UsageError, TargetError)):
            check_settings(keywords, "`keywords`", settings)


def test_an_argument_that_takes_no_name_cannot_be_set():
    with pytest.raises(UsageError, match="`positions` has no argument `a`") as error:
        check_settings(positions, "`positions`", {"a": 1, "b": 2})
    assert error.value.hint == "It takes `b`."


def test_a_function_without_arguments_says_so():
    with pytest.raises(UsageError, match="has no argument `width`") as error:
        check_settings(lambda: 1, "`net`", {"width": 1})
    assert error.value.hint == "It takes no arguments."


def test_two_stars_take_every_setting():
    check_settings(open_ended, "`open_ended`", {"anything": 1})


def test_a_setting_of_no_parameter_is_a_usage_error_with_a_suggestion(load):
    with pytest.raises(UsageError, match="no argument `wdie`; did you mean `wide`") as error:
        load(BATCH + NET, "Net", settings=(("wdie", "5"),))
    assert "`wide`" in error.value.hint


def test_required_arguments_are_listed_with_the_flags(load):
    with pytest.raises(TargetError, match="needs `width`, `depth`") as error:
        load(BATCH + "def build_model(width, depth, p=0.1): return nn.Linear(3, 2)")
    assert "--set width=... --set depth=..." in error.value.hint
