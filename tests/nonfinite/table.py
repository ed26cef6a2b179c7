"""For the ops of the table of domains: values that make each non-finite, forward, and backward with a finite output.

A row is (what is computed of a parameter, its values); the op that is to be blamed is the row's name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Made = Callable[[Tensor], Tensor]


class Row(NamedTuple):
    """A computation, and the values of the parameter that it is of."""

    op: str
    made: Made
    values: Tensor
    cause: str


ZERO, ONE, TINY = torch.zeros(4), torch.ones(4), torch.full((4,), 1e-40)
HUGE, BELOW, SMALL = torch.full((4,), 1e30), -torch.ones(4) * 2, torch.full((4,), 1e-30)
SQUARE = torch.ones(3, 3)
EYE = torch.eye(3)
LABELS = torch.full((4,), -100)


def _ctc(x: Tensor) -> Tensor:
    return F.ctc_loss(x.log_softmax(-1)[:, None], torch.ones(1, 7, dtype=torch.long), (8,), (7,))


def _masked(x: Tensor) -> Tensor:
    return x.masked_fill(torch.ones(x.shape, dtype=torch.bool), -torch.inf)


FORWARD = (
    Row("log", torch.log, ZERO, "log-zero"),
    Row("log", torch.log, BELOW, "log-negative"),
    Row("log2", torch.log2, ZERO, "log-zero"),
    Row("log10", torch.log10, ZERO, "log-zero"),
    Row("log1p", torch.log1p, -ONE, "log-zero"),
    Row("log1p", torch.log1p, BELOW, "log-negative"),
    Row("logit", torch.logit, ZERO, "log-zero"),
    Row("logit", torch.logit, 2 * ONE, "log-negative"),
    Row("xlogy", lambda x: torch.xlogy(ONE, x), ZERO, "log-zero"),
    Row("special_xlog1py", lambda x: torch.special.xlog1py(ONE, x), BELOW, "log-negative"),
    Row("special_entr", torch.special.entr, BELOW, "log-negative"),
    Row("special_log_ndtr", torch.special.log_ndtr, -1e20 * ONE, "log-zero"),
    Row("lgamma", torch.lgamma, ZERO, "log-zero"),
    Row("digamma", torch.digamma, ZERO, "log-zero"),
    Row("polygamma", lambda x: torch.polygamma(1, x), ZERO, "log-zero"),
    Row("sqrt", torch.sqrt, BELOW, "log-negative"),
    Row("rsqrt", torch.rsqrt, ZERO, "zero-div-zero"),
    Row("rsqrt", torch.rsqrt, BELOW, "log-negative"),
    Row("pow", lambda x: x**0.5, BELOW, "pow-domain"),
    Row("pow", lambda x: x**-1.5, ZERO, "pow-domain"),
    Row("pow", lambda x: x**4, HUGE, "exp-overflow"),
    Row("acos", torch.acos, 2 * ONE, "acos-boundary"),
    Row("asin", torch.asin, 2 * ONE, "acos-boundary"),
    Row("acosh", torch.acosh, ZERO, "acos-boundary"),
    Row("atanh", torch.atanh, ONE, "acos-boundary"),
    Row("erfinv", torch.erfinv, ONE, "acos-boundary"),
    Row("special_ndtri", torch.special.ndtri, ZERO, "acos-boundary"),
    Row("div", lambda x: ONE / x, ZERO, "zero-div-zero"),
    Row("div", lambda x: HUGE / x, SMALL, "small-denominator"),
    Row("remainder", lambda x: torch.remainder(ONE, x), ZERO, "zero-div-zero"),
    Row("fmod", lambda x: torch.fmod(x, ZERO), ONE, "zero-div-zero"),
    Row("reciprocal", torch.reciprocal, ZERO, "zero-div-zero"),
    Row("reciprocal", lambda x: 1 / x, TINY, "small-denominator"),
    Row("addcdiv", lambda x: torch.addcdiv(ONE, ONE, x), ZERO, "zero-div-zero"),
    Row("exp", torch.exp, 100 * ONE, "exp-overflow"),
    Row("exp2", torch.exp2, 200 * ONE, "exp-overflow"),
    Row("expm1", torch.expm1, 100 * ONE, "exp-overflow"),
    Row("sinh", torch.sinh, 100 * ONE, "exp-overflow"),
    Row("cosh", torch.cosh, 100 * ONE, "exp-overflow"),
    Row("special_erfcx", torch.special.erfcx, -100 * ONE, "exp-overflow"),
    Row("i0", torch.i0, 100 * ONE, "exp-overflow"),
    Row("ldexp", lambda x: torch.ldexp(x, 200 * ONE), ONE, "exp-overflow"),
    Row("mul", lambda x: x * x, HUGE, "exp-overflow"),
    Row("mul", lambda x: _masked(x) * 0, ONE, "zero-times-inf"),
    Row("sum", lambda x: (x * 1e8).sum(), HUGE, "exp-overflow"),
    Row("prod", torch.prod, HUGE, "exp-overflow"),
    Row("cumprod", lambda x: x.cumprod(0), HUGE, "exp-overflow"),
    Row("addcmul", lambda x: torch.addcmul(ONE, x, x), HUGE, "exp-overflow"),
    Row("mse_loss", lambda x: F.mse_loss(x, ONE), HUGE, "exp-overflow"),
    Row("mm", lambda x: x[None] @ x[:, None], HUGE, "large-init"),
    Row("addmm", lambda x: torch.addmm(ONE[:1], x[None], x[:, None]), HUGE, "large-init"),
    Row("bmm", lambda x: x[None, None] @ x[None, :, None], HUGE, "large-init"),
    Row("mv", lambda x: x[None].expand(4, 4) @ x, HUGE, "large-init"),
    Row("dot", lambda x: x @ x, HUGE, "large-init"),
    Row("linalg_cross", lambda x: torch.linalg.cross(x[:3] * torch.tensor([1, 2, 3]), x[:3]), HUGE, "large-init"),
    Row("convolution", lambda x: F.conv1d(x[None, None], x[None, None]), HUGE, "large-init"),
    Row("linalg_matrix_exp", torch.linalg.matrix_exp, 1e3 * EYE, "exp-overflow"),
    Row("linalg_vector_norm", torch.linalg.vector_norm, HUGE, "exp-overflow"),
    Row("var", torch.var, ONE[:1], "zero-variance"),
    Row("std", torch.std, ONE[:1], "zero-variance"),
    Row("var_mean", lambda x: torch.var_mean(x)[0], ONE[:1], "zero-variance"),
    Row("std_mean", lambda x: torch.std_mean(x)[0], ONE[:1], "zero-variance"),
    Row("softmax", lambda x: _masked(x).softmax(-1), ONE, "masked-softmax-row"),
    Row("log_softmax", lambda x: _masked(x).log_softmax(-1), ONE, "masked-softmax-row"),
    Row("masked_fill", lambda x: x.masked_fill(x > 0, -torch.inf), ONE, "masked-softmax-row"),
    Row("nll_loss", lambda x: F.cross_entropy(x.expand(4, 4), LABELS), ONE, "masked-loss"),
    Row("ctc_loss", _ctc, torch.ones(8, 4), "ctc-infeasible"),
    Row("linalg_inv_ex", lambda x: torch.linalg.inv_ex(x)[0], SQUARE, "degenerate-eigenvalues"),
    Row("linalg_solve_ex", lambda x: torch.linalg.solve_ex(x, EYE)[0], SQUARE, "degenerate-eigenvalues"),
    Row("linalg_slogdet", lambda x: torch.linalg.slogdet(x)[1], 0 * EYE, "negative-determinant"),
    Row("logdet", lambda x: torch.logdet(x), torch.diag(torch.tensor([-1.0, 1, 1])), "negative-determinant"),
)
"""What each puts out is not finite."""

BACKWARD = (
    Row("log", torch.log, TINY, "log-zero"),
    Row("log2", torch.log2, TINY, "log-zero"),
    Row("log10", torch.log10, TINY, "log-zero"),
    Row("xlogy", lambda x: torch.xlogy(x, x), ZERO, "log-zero"),
    Row("special_entr", torch.special.entr, ZERO, "log-zero"),
    Row("digamma", torch.digamma, 1e-25 * ONE, "log-zero"),
    Row("sqrt", torch.sqrt, ZERO, "sqrt-zero"),
    Row("rsqrt", torch.rsqrt, SMALL, "sqrt-zero"),
    Row("pow", lambda x: x**0.5, ZERO, "pow-domain"),
    Row("acos", torch.acos, ONE, "acos-boundary"),
    Row("asin", torch.asin, ONE, "acos-boundary"),
    Row("acosh", torch.acosh, ONE, "acos-boundary"),
    Row("div", lambda x: 1e-10 * ONE / x, SMALL, "small-denominator"),
    Row("reciprocal", torch.reciprocal, SMALL, "small-denominator"),
    Row("addcdiv", lambda x: torch.addcdiv(ONE, ONE, x), SMALL, "small-denominator"),
    Row("hypot", lambda x: torch.hypot(x, x), ZERO, "sqrt-zero"),
    Row("logsumexp", lambda x: x.masked_fill(x < torch.inf, -torch.inf).logsumexp(-1).exp(), ONE, "logsumexp-neginf"),
    Row("linalg_svd", lambda x: torch.linalg.svd(x)[0], EYE, "degenerate-eigenvalues"),
    Row("linalg_eigh", lambda x: torch.linalg.eigh(x)[1], EYE, "degenerate-eigenvalues"),
    Row("linalg_qr", lambda x: torch.linalg.qr(x)[0], SQUARE, "degenerate-eigenvalues"),
    Row("linalg_inv_ex", torch.linalg.inv, SMALL[:1, None] * EYE, "degenerate-eigenvalues"),
    Row("linalg_cholesky_ex", lambda x: torch.linalg.cholesky_ex(x)[0], 0 * EYE, "degenerate-eigenvalues"),
)
"""What each puts out is finite, and its gradient is not."""
