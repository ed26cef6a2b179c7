"""The ops that turn finite samples of torch's own op database into NaN or Inf.

`python -m tests.nonfinite.candidates [OP]...` scans all ops of it, or these.

Every op of torch.testing._internal.common_methods_invocations.op_db that has a derivative runs on its samples as they
are, and with one floating operand at a time, then all of them, set to what `CHANGES` holds. Each op of the dispatcher
that runs meanwhile, and each node of the graph, is looked at by itself: what went in finite and came out otherwise is a
candidate. The script prints those that are new, so that `FORWARD` and `BACKWARD` can be kept; some depend on which
kernels a machine has, so they are the union of what was ever found.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from gradcheck_cli.records.ops import plain_op

CHANGES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "0": torch.zeros_like,
    "1": torch.ones_like,
    "below -1": lambda t: -1 - t.abs(),
    "1e30 times": lambda t: t * 1e30,
    "1e-30 times": lambda t: t * 1e-30,
    "200": lambda t: torch.full_like(t, 200),
    "-200": lambda t: torch.full_like(t, -200),
    "half 0": lambda t: t * (torch.arange(t.numel()).view(t.shape) % 2),
}
"""What is made of an operand."""
_SAMPLES = 12
"""Samples of an op that are run: later ones repeat the earlier ones in other shapes."""
_SIZE = 4096


FORWARD = (
    "acos acosh addbmm addcdiv addcmul addmm addmv addr asin atanh baddbmm batch_norm batch_norm_legit "
    "binary_cross_entropy_with_logits bmm cholesky_inverse cholesky_solve convolution cosh ctc_loss cumprod "
    "digamma dist div dot embedding_bag empty_like erfinv exp exp2 expm1 fmod group_norm i0 index_reduce "
    "layer_norm ldexp lerp lgamma linalg_cross linalg_det linalg_householder_product linalg_inv_ex linalg_lstsq "
    "linalg_lu_solve linalg_matrix_exp linalg_slogdet linalg_solve_ex linalg_solve_triangular linalg_vector_norm "
    "linear_cross_entropy_batch_chunked linear_cross_entropy_batch_chunked_no_reduction log log10 log1p log2 "
    "logit mm mse_loss mul mv mvlgamma new_empty nll_loss norm ormqr pdist polygamma pow prelu_kernel prod "
    "reciprocal remainder rsqrt scalar_tensor scaled_dot_product_flash_attention_for_cpu scatter_reduce "
    "segment_reduce sinh soft_margin_loss softmax_backward_data special_entr special_erfcx special_i1 "
    "special_log_ndtr special_ndtri special_xlog1py sqrt to_copy triangular_solve trilinear var var_mean vdot "
    "xlogy"
).split()
"""Finite values went in, and what came out was not finite."""
BACKWARD = (
    "acos acosh addcdiv asin binary_cross_entropy bmm cholesky_solve ctc_loss digamma div gelu group_norm hypot "
    "index_reduce linalg_cholesky_ex linalg_eig linalg_eigh linalg_householder_product linalg_inv_ex linalg_lstsq "
    "linalg_lu linalg_lu_factor_ex linalg_lu_solve linalg_pinv linalg_qr linalg_solve_ex linalg_solve_triangular "
    "linalg_svd linalg_vector_norm log mul norm ormqr polygamma pow reciprocal rsqrt special_entr sqrt to_copy "
    "triangular_solve xlogy"
).split()
"""A finite gradient went in, and the one that came out was not finite."""
REASONS = {
    "softmax_backward_data": "it runs backward, where its softmax is named",
    "linear_cross_entropy_batch_chunked": "it has no stable name yet",
    "linear_cross_entropy_batch_chunked_no_reduction": "it has no stable name yet",
    "empty_like": "it holds whatever the memory held: nothing reads it",
    "new_empty": "it holds whatever the memory held: nothing reads it",
}
"""Why one has no row."""


class Candidates(NamedTuple):
    """The plain names of what puts out, and of what sends back, a value that is not finite."""

    forward: frozenset[str]
    backward: frozenset[str]


class _Watch(TorchDispatchMode):
    """Notes the ops that make NaN or Inf of finite values."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        sound = _all_finite((args, kwargs))
        result = func(*args, **(kwargs or {}))
        if sound and not _all_finite(result):
            self.found.add(plain_op(func.overloadpacket.__name__))
        return result


def _all_finite(values: Any) -> bool:
    return all(_is_finite(t) for t in tree_leaves(values) if isinstance(t, Tensor))


def _is_finite(tensor: Tensor) -> bool:
    if tensor._is_zerotensor() or not (tensor.is_floating_point() or tensor.is_complex()):
        return True  # one of no memory is 0, and not to be read
    with suppress(RuntimeError, NotImplementedError):  # a layout that cannot be asked
        return bool(torch.isfinite(tensor).all())
    return True


def _changed(sample: Any) -> Iterator[Any]:
    """The arguments of a sample as they are and changed, as (args, kwargs)."""
    given = (sample.input, *sample.args), dict(sample.kwargs)
    real = [i for i, t in enumerate(tree_leaves(given)) if isinstance(t, Tensor) and t.is_floating_point()]
    yield given
    for change in CHANGES.values():
        for places in {*((i,) for i in real), tuple(real)}:
            counter = iter(range(len(tree_leaves(given))))
            yield tree_map(lambda t, c=counter, p=places, f=change: f(t.detach()) if next(c) in p else t, given)


def _run(op: Any, args: Any, kwargs: Any, forward: set[str], backward: set[str]) -> None:
    """One forward and backward pass, watched; what an op refuses is no candidate."""
    leaves = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor) and t.is_floating_point()]
    if any(t.numel() > _SIZE for t in leaves) or not _all_finite(leaves):
        return
    asked = {id(t): t.detach().clone().requires_grad_() for t in leaves}
    args, kwargs = tree_map(lambda t: asked.get(id(t), t), (args, kwargs))
    with suppress(Exception), _Watch() as watch:
        try:
            result = op(*args, **kwargs)
        finally:
            forward |= watch.found
        outputs = [t for t in tree_leaves(result) if isinstance(t, Tensor) and t.requires_grad]
        if outputs and _all_finite(outputs):
            for node in _nodes(outputs):
                _listen(node, backward)
            torch.autograd.backward(outputs, [torch.ones_like(t) for t in outputs])


def _nodes(outputs: Iterable[Tensor]) -> set[Any]:
    stack, seen = [t.grad_fn for t in outputs], set()
    while stack:
        node = stack.pop()
        if node is not None and node not in seen:
            seen.add(node)
            stack += [below for below, _ in node.next_functions]
    return seen


def _listen(node: Any, found: set[str]) -> None:
    def after(sent: Any, arrived: Any) -> None:
        if _all_finite(arrived) and not _all_finite(sent):
            found.add(plain_op(node.name()))

    node.register_hook(after)


def scanned(names: Collection[str] = ()) -> Candidates:
    """The candidates among the ops of the database with these names; among all without."""
    from torch.testing._internal.common_methods_invocations import op_db

    forward: set[str] = set()
    backward: set[str] = set()
    for op in op_db:
        if not op.supports_autograd or torch.float32 not in op.dtypes or (names and op.name not in names):
            continue
        torch.manual_seed(0)
        samples = op.sample_inputs("cpu", torch.float32, requires_grad=True)
        for sample, _ in zip(samples, range(_SAMPLES), strict=False):
            for args, kwargs in _changed(sample):
                _run(op, args, kwargs, forward, backward)
    return Candidates(frozenset(forward), frozenset(backward))


def main() -> None:
    """Print how many there are, and those that the lists do not have."""
    warnings.simplefilter("ignore")
    found = scanned(sys.argv[1:])
    for way, seen, known in (("forward", found.forward, FORWARD), ("backward", found.backward, BACKWARD)):
        print(f"{way}: {len(seen)} ops, new: {' '.join(sorted(seen - set(known))) or 'none'}")


if __name__ == "__main__":
    main()
