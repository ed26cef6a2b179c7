"""The models of a script and the paths of what is in them."""

from __future__ import annotations

import gc
import sys
import weakref
from typing import Any

import torch
from torch import nn

from gradcheck_cli.watch.naming import Model, Models, Roots, unwrapped


def seen(roots: Roots, module: nn.Module) -> None:
    roots.seen(module, sys._getframe(1))


def test_the_largest_module_among_the_callers_variables_is_the_root() -> None:
    roots, net = Roots(), nn.Sequential(nn.Sequential(nn.Linear(1, 1)), nn.Linear(1, 1))

    def inside(part: nn.Module) -> None:
        seen(roots, part)

    inside(net[0])
    assert roots.root_of(net[0]) == (net, "net")


def test_an_attribute_of_the_caller_is_a_variable_too() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.policy = nn.Sequential(nn.Linear(1, 1))

        def fit(self, roots: Roots) -> None:
            seen(roots, self.policy[0])

    roots, trainer = Roots(), Trainer()
    trainer.fit(roots)
    root, name = roots.root_of(trainer.policy[0])
    assert root is trainer.policy and name == "policy"


def test_wrappers_stand_for_the_model_inside() -> None:
    net = nn.Linear(1, 1)
    wrapped = nn.DataParallel(net)
    roots = Roots()
    seen(roots, wrapped)
    assert unwrapped(wrapped) is net and roots.root_of(wrapped)[0] is net
    made = Model(roots, [wrapped], [])
    assert made.module is net and made.path_of(wrapped) == ""


def test_several_models_become_children_by_their_variables_names() -> None:
    gen, disc = nn.Sequential(nn.Linear(1, 1)), nn.Linear(1, 1)
    roots, loss = Roots(), nn.MSELoss()
    for module in (gen, disc, loss):
        seen(roots, module)
    made = Model(roots, [gen, disc, loss], [])
    assert isinstance(made.module, Models)
    assert [name for name, _ in made.module.named_parameters()] == [
        "gen.0.weight",
        "gen.0.bias",
        "disc.weight",
        "disc.bias",
    ]
    assert made.path_of(gen[0]) == "gen.0" and made.path_of(loss) is None
    assert made.place_of(disc.weight) == ("disc", "weight")


def test_tensors_that_learn_by_themselves_get_their_variables_names() -> None:
    weight, others = torch.zeros(2, requires_grad=True), [torch.zeros(1, requires_grad=True)]
    made = Model(Roots(), [], [weight, *others])
    assert [name for name, _ in made.module.named_parameters()] == ["weight", "others_0"]
    assert made.place_of(weight) == ("", "weight")


def test_a_name_that_cannot_be_one_is_made_one() -> None:
    def both(forward: Any) -> Model:
        roots = Roots()
        seen(roots, forward)
        return Model(roots, [forward], [torch.zeros(1, requires_grad=True)])

    names = [name for name, _ in both(nn.Linear(1, 1)).module.named_children()]
    assert len(names) == 1 and names[0] not in dir(Models())


def test_looking_at_variables_keeps_none_of_them_alive_and_changes_none() -> None:
    def function(roots: Roots) -> Any:
        mine, big, net = {"a": 1}, torch.zeros(3), nn.Linear(1, 1)
        gone = weakref.ref(big)
        seen(roots, net)
        del big
        kept = locals()
        seen(roots, net)
        return gone() is None, kept["mine"] is mine and "net" in kept

    assert function(Roots()) == (True, True)


def test_no_model_is_kept_alive() -> None:
    roots, net = Roots(), nn.Linear(1, 1)
    seen(roots, net)
    gone = weakref.ref(net)
    del net
    gc.collect()
    assert gone() is None
