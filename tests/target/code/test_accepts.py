"""What a forward takes, and how a batch is laid out for it."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gradcheck_cli.errors import TargetError
from gradcheck_cli.target.code.accepts import accepts, arrange

X, Y, Z = torch.randn(4, 3), torch.tensor([0, 1, 1, 0]), torch.randn(4, 1)


def model_of(forward):
    return type("Model", (nn.Module,), {"forward": forward})()


@dataclass
class Sample:
    x: torch.Tensor
    y: torch.Tensor


@pytest.mark.parametrize(
    ("forward", "batch", "args", "kwargs", "target"),
    [
        (lambda self, x: x, X, (X,), {}, None),
        (lambda self, x: x, (X,), (X,), {}, None),
        (lambda self, x: x, (X, Y), (X,), {}, Y),
        (lambda self, x: x, [X, Y], (X,), {}, Y),
        (lambda self, x, z: x, ((X, Z), Y), (X, Z), {}, Y),
        (lambda self, x, z: x, (X, Z, Y), (X, Z), {}, Y),
        (lambda self, x, z: x, ({"x": X, "z": Z}, Y), (), {"x": X, "z": Z}, Y),
        (lambda self, source, goal: source, (X, Y), (X, Y), {}, Y),
        (lambda self, x, mask: x, (X, None), (X,), {}, None),
        (lambda self, images: images, ([X, Z], Y), ([X, Z],), {}, Y),
        (lambda self, *xs: xs, ([X, Z], Y), (X, Z), {}, Y),
        (lambda self, x, targets=None: x, (X, Y), (X,), {"targets": Y}, Y),
        (lambda self, x: x, {"x": X, "label": Y}, (), {"x": X}, Y),
        (lambda self, x, labels: x, {"x": X, "labels": Y}, (), {"x": X, "labels": Y}, Y),
        (lambda self, x, **rest: x, {"x": X, "y": Y}, (), {"x": X, "y": Y}, Y),
        (lambda self, batch: batch, {"x": X, "y": Y}, ({"x": X, "y": Y},), {}, Y),
        (lambda self, x: x, Sample(X, Y), (), {"x": X}, Y),
        (lambda self, sample: sample, Sample(X, Y), (Sample(X, Y),), {}, Y),
    ],
)
def test_a_batch_is_laid_out_for_the_forward(forward, batch, args, kwargs, target):
    call = arrange(model_of(forward), batch, hand_over=True)
    assert repr(call.args) == repr(args)
    assert repr(dict(call.kwargs)) == repr(kwargs)
    assert call.target is target


def test_a_target_is_not_handed_to_a_model_whose_loss_is_given():
    call = arrange(model_of(lambda self, x, targets=None: x), (X, Y), hand_over=False)
    assert not call.kwargs


def test_wrappers_are_looked_through():
    inner = model_of(lambda self, x, labels=None: x)
    assert "labels" in arrange(nn.DataParallel(inner), (X, Y), hand_over=True).kwargs


def test_an_empty_tuple_is_no_batch():
    with pytest.raises(TargetError, match="empty tuple or list"):
        arrange(nn.Linear(3, 2), (), hand_over=True)


@pytest.mark.parametrize(
    ("forward", "positional", "required", "names", "variable"),
    [
        (lambda self, x: x, ("x",), ("x",), {"x"}, (False, False)),
        (lambda self, x, scale=1: x, ("x", "scale"), ("x",), {"x", "scale"}, (False, False)),
        (lambda self, x, *, mask: x, ("x",), ("x", "mask"), {"x", "mask"}, (False, False)),
        (lambda self, x, /, y: x, ("x", "y"), ("x", "y"), {"y"}, (False, False)),
        (lambda self, *xs: xs, (), (), set(), (True, False)),
        (lambda self, x, **rest: x, ("x",), ("x",), {"x"}, (False, True)),
        (lambda self: 1, (), (), set(), (False, False)),
    ],
)
def test_the_signature_of_forward_is_read(forward, positional, required, names, variable):
    takes = accepts(model_of(forward))
    assert (takes.positional, takes.required, takes.names) == (positional, required, names)
    assert (takes.any_positional, takes.any_keyword) == variable


def test_a_keyword_is_taken_by_name_or_by_two_stars():
    assert accepts(model_of(lambda self, x, /, mask: x)).takes_keyword("mask")
    assert not accepts(model_of(lambda self, x, /, mask: x)).takes_keyword("x")
    assert accepts(model_of(lambda self, **rest: 1)).takes_keyword("anything")


def test_a_forward_without_a_signature_takes_whatever_it_is_given():
    model = nn.Module()
    model.forward = {}.update
    takes = accepts(model)
    assert takes.any_positional and takes.any_keyword
    assert takes.positional == takes.required == ()


def test_a_module_that_is_merely_called_module_is_not_looked_through():
    outer = model_of(lambda self, pixels: pixels)
    outer.module = model_of(lambda self, ids: ids)
    assert accepts(outer).positional == ("pixels",)


@pytest.mark.parametrize("name", ["labels", "label", "targets", "target", "y"])
def test_a_target_is_handed_over_under_every_usual_name(name):
    model = model_of(eval(f"lambda self, x, {name}=None: x"))
    assert dict(arrange(model, (X, Y), hand_over=True).kwargs) == {name: Y}


def test_a_target_is_handed_over_once():
    call = arrange(model_of(lambda self, x, labels=None, y=None: x), (X, Y), hand_over=True)
    assert dict(call.kwargs) == {"labels": Y}
    given_already = arrange(model_of(lambda self, x, y: x), (X, Y), hand_over=True)
    assert (given_already.args, given_already.kwargs) == ((X, Y), {})


def test_a_graph_goes_in_whole_or_by_the_attributes_that_forward_names():
    graph = SimpleNamespace(x=X, edge_index=Z, batch=Y, y=Y)
    by_name = arrange(model_of(lambda self, x, edge_index, batch=None: x), graph, hand_over=False)
    assert dict(by_name.kwargs) == {"x": X, "edge_index": Z, "batch": Y}
    assert by_name.target is Y
    for forward in (lambda self, data: data, lambda self, batch: batch):
        whole = arrange(model_of(forward), graph, hand_over=False)
        assert (whole.args, whole.kwargs) == ((graph,), {})


@given(count=st.integers(2, 6))
def test_the_last_of_several_elements_is_the_target_and_the_others_are_the_inputs(count):
    batch = tuple(torch.full((2,), float(index)) for index in range(count))
    call = arrange(model_of(lambda self, *inputs: inputs), batch, hand_over=False)
    assert [float(x[0]) for x in call.args] == list(range(count - 1))
    assert call.target is batch[-1]
    assert not call.kwargs
