"""What the tape has to know of a torch function, by its plain name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gradcheck_cli.runtime.state.writes import function_name

_RANDOM = frozenset(
    "dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout native_dropout rrelu "
    "bernoulli multinomial normal poisson binomial uniform random exponential geometric cauchy log_normal rand_like "
    "randn_like randint_like gumbel_softmax scaled_dot_product_attention multi_head_attention_forward _standard_gamma "
    "_sample_dirichlet fractional_max_pool2d fractional_max_pool3d lstm gru rnn_tanh rnn_relu".split()
)
"""Functions that may draw, without the underscore of those that write in place."""
_ALIASING = frozenset(("detach", "data"))
"""Functions whose result shares memory with their argument and is no view to autograd."""
_RISKY = frozenset(
    "log log2 log10 log1p logit sqrt rsqrt exp exp2 expm1 div truediv true_divide divide rtruediv reciprocal pow "
    "rpow xlogy acos arccos asin arcsin acosh atanh erfinv std var std_mean var_mean lgamma digamma normalize".split()
)
"""Functions that may make something that is not finite of data alone: what a logarithm makes of a target of 0."""
_READING = frozenset(("item", "tolist", "numpy", "__bool", "__float", "__format", "__repr"))
"""Functions by which a script looks at a number, by their plain names."""


class FunctionTraits(NamedTuple):
    """What is known of a torch function.

    Attributes:
        name: Its plain name, with an underscore where it writes into its first argument.
        draws: Whether it may draw random numbers.
        aliases: Whether its result shares memory with its argument and is no view to autograd.
        risky: Whether it may make something that is not finite of data alone.
        reads: Whether a script looks at a number by it.
    """

    name: str
    draws: bool
    aliases: bool
    risky: bool
    reads: bool


_known: dict[Any, FunctionTraits] = {}


def traits_of(func: Callable[..., Any]) -> FunctionTraits:
    """What is known of it; looked up once, since each step asks."""
    found = _known.get(func)
    if found is None:
        name = function_name(func)
        found = _known[func] = FunctionTraits(
            name, name.rstrip("_") in _RANDOM, name in _ALIASING, name in _RISKY, name in _READING
        )
    return found
