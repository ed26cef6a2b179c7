"""`--set KEY=VALUE` as keyword arguments."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.errors import UsageError
from gradcheck_cli.target.code.settings import parse_settings

BATCH = "def batch(): return torch.randn(4, 3), torch.randint(0, 2, (4,))\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8", 8),
        ("-3", -3),
        ("0.5", 0.5),
        ("1e-7", 1e-7),
        ("1E+3", 1000.0),
        (".5e1", 5.0),
        ("1.e2", 100.0),
        ("true", True),
        ("null", None),
        ("", None),
        ("relu", "relu"),
        ("[1, 2e-3, relu]", [1, 2e-3, "relu"]),
        ("{a: 1e3, b: [1e-2]}", {"a": 1000.0, "b": [1e-2]}),
        ("1e5x", "1e5x"),
        ("e5", "e5"),
        ("a:b", "a:b"),
    ],
)
def test_a_value_is_read_as_yaml_with_its_exponents(text, value):
    read = parse_settings((("key", text),))["key"]
    assert read == value
    assert type(read) is type(value)


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        max_leaves=6,
    )
)
def test_json_is_a_way_to_write_any_value(value):
    assert parse_settings((("key", json.dumps(value)),)) == {"key": value}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ((("a-b", "1"),), "`a-b` is not an argument's name"),
        ((("", "1"),), "`` is not an argument's name"),
        ((("a", "1"), ("b", "2"), ("a", "3")), "gives `a` twice"),
        ((("a", "[1"),), r"--set a: `\[1` cannot be read as YAML \(.+\)"),
        ((("a", "@x"),), "cannot be read as YAML"),
        ((("a", "!!python/object:os.system x"),), "cannot be read as YAML"),
    ],
)
def test_what_is_no_setting_is_a_usage_error(settings, told):
    with pytest.raises(UsageError, match=told) as error:
        parse_settings(settings)
    assert error.value.hint


def test_settings_keep_their_order():
    assert list(parse_settings((("b", "1"), ("a", "2")))) == ["b", "a"]


def test_settings_are_yaml_and_reach_the_factory(load):
    code = BATCH + (
        "def build_model(width, scale=1.0, kind='a', act=None):\n"
        "    m = nn.Linear(3, width)\n"
        "    m.got = (scale, kind, act)\n"
        "    return m"
    )
    settings = (("width", "5"), ("scale", "1e-7"), ("kind", "relu"), ("act", "[1e3, x]"))
    target = load(code, settings=settings)
    assert target.model.out_features == 5
    assert target.model.got == (1e-7, "relu", [1000.0, "x"])
