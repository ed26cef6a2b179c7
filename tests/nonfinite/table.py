"""For the ops of the table of domains: values that make each non-finite, and what makes it finite again.

A row is a line of Python that computes something of `x`, and the values of `x`; the op that is to be blamed is the
row's name. FORWARD holds those that put out what is not finite, BACKWARD those whose output is finite and whose
gradient is not. Some only overflow where a large gradient comes back to them: that is the `pull`.
"""

from __future__ import annotations

import linecache
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Row(NamedTuple):
    """A computation, and the values of the parameter that it is of.

    Attributes:
        op: The op that is to be blamed, by its plain name.
        code: An expression of `x`.
        values: `x`.
        cause: The cause that is to be named.
        cure: A remedy that is to be shown, and what it makes of the line: "init: torch.sin(0.1 * x)". "" where the
            tool writes a line itself and carries it out.
        pull: The gradient that comes back to the line; 1 where it is 0.
    """

    op: str
    code: str
    values: Tensor
    cause: str
    cure: str = ""
    pull: float = 0.0


ZERO, ONE, TINY = torch.zeros(4), torch.ones(4), torch.full((4,), 1e-40)
HUGE, BELOW, SMALL, MAX = torch.full((4,), 1e30), -2 * torch.ones(4), torch.full((4,), 1e-30), torch.full((4,), 3e38)
LARGE, APART = torch.full((4,), 1e15), torch.tensor([1e18, -1e18, 0, 0])
FAR = torch.tensor([-3e38, 3e38, 0, 0])
SQUARE, EYE = torch.ones(3, 3), torch.eye(3)
IGNORED, FIRST = torch.full((4,), -100), torch.zeros(4, dtype=torch.long)
PIVOTS = torch.tensor([1, 2, 3], dtype=torch.int32)
NAMES = {
    "torch": torch,
    "F": F,
    "math": math,
    "ONE": ONE,
    "HUGE": HUGE,
    "MAX": MAX,
    "LARGE": LARGE,
    "SQUARE": SQUARE,
    "EYE": EYE,
    "IGNORED": IGNORED,
    "FIRST": FIRST,
    "PIVOTS": PIVOTS,
    "HIDDEN": torch.ones(4, dtype=torch.bool),
    "TARGET": torch.ones(1, 7, dtype=torch.long),
}
"""What the lines may use."""


def made(lines: str, name: str = "<a line>") -> Callable[[Tensor], Any]:
    """A function of `x` that runs these lines, the last of which assigns `y`; its source is known by `name`."""
    text = "def line(x):\n" + "".join(f"    {line}\n" for line in lines.splitlines()) + "    return y\n"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names: dict[str, Any] = dict(NAMES)
    exec(compile(text, name, "exec"), names)
    function: Callable[[Tensor], Any] = names["line"]
    return function


_CTC = "F.ctc_loss(x.log_softmax(-1)[:, None], TARGET, (8,), (7,))"
_MASKED = "x.masked_fill(HIDDEN, -math.inf)"
_SCALED = "input-normalization: "
_SMALLER = "init: "
_JITTER = "jitter: "
_FLOOR = "variance-floor: "

FORWARD = (
    # ---------------------------------------------------------------- logarithms and roots
    Row("log", "torch.log(x)", ZERO, "log-zero"),
    Row("log", "torch.log(x)", BELOW, "log-negative"),
    Row("log2", "torch.log2(x)", ZERO, "log-zero"),
    Row("log10", "torch.log10(x)", ZERO, "log-zero"),
    Row("log1p", "torch.log1p(x)", -ONE, "log-zero"),
    Row("log1p", "torch.log1p(x)", BELOW, "log-negative"),
    Row("logit", "torch.logit(x)", ZERO, "log-zero"),
    Row("logit", "torch.logit(x)", 2 * ONE, "log-negative"),
    Row("xlogy", "torch.xlogy(ONE, x)", ZERO, "log-zero"),
    Row("special_xlog1py", "torch.special.xlog1py(ONE, x)", BELOW, "log-negative"),
    Row("special_entr", "torch.special.entr(x)", BELOW, "log-negative"),
    Row("special_log_ndtr", "torch.special.log_ndtr(x)", -1e20 * ONE, "log-zero"),
    Row("lgamma", "torch.lgamma(x)", ZERO, "log-zero"),
    Row("lgamma", "torch.lgamma(x)", MAX, "exp-overflow", _SCALED + "torch.lgamma(x / MAX)"),
    Row("mvlgamma", "torch.mvlgamma(x, 2)", MAX, "exp-overflow", _SCALED + "torch.mvlgamma(x / MAX, 2)"),
    Row("digamma", "torch.digamma(x)", ZERO, "log-zero"),
    Row("polygamma", "torch.polygamma(1, x)", ZERO, "log-zero"),
    Row("sqrt", "torch.sqrt(x)", BELOW, "log-negative"),
    Row("rsqrt", "torch.rsqrt(x)", ZERO, "zero-div-zero"),
    Row("rsqrt", "torch.rsqrt(x)", BELOW, "log-negative"),
    Row("pow", "x**0.5", BELOW, "pow-domain"),
    Row("pow", "x**-1.5", ZERO, "pow-domain"),
    Row("pow", "x**4", HUGE, "exp-overflow", _SCALED + "(x / HUGE) ** 4"),
    Row("acos", "torch.acos(x)", 2 * ONE, "acos-boundary"),
    Row("asin", "torch.asin(x)", 2 * ONE, "acos-boundary"),
    Row("acosh", "torch.acosh(x)", ZERO, "acos-boundary"),
    Row("atanh", "torch.atanh(x)", ONE, "acos-boundary"),
    Row("erfinv", "torch.erfinv(x)", ONE, "acos-boundary"),
    Row("special_ndtri", "torch.special.ndtri(x)", ZERO, "acos-boundary"),
    # ---------------------------------------------------------------- divisions
    Row("div", "ONE / x", ZERO, "zero-div-zero"),
    Row("div", "HUGE / x", SMALL, "small-denominator"),
    Row("remainder", "torch.remainder(ONE, x)", ZERO, "zero-div-zero"),
    Row("fmod", "torch.fmod(ONE, x)", ZERO, "zero-div-zero"),
    Row("reciprocal", "torch.reciprocal(x)", ZERO, "zero-div-zero"),
    Row("reciprocal", "1 / x", TINY, "small-denominator"),
    Row("addcdiv", "torch.addcdiv(ONE, ONE, x)", ZERO, "zero-div-zero"),
    # ---------------------------------------------------------------- growth
    Row("exp", "torch.exp(x)", 100 * ONE, "exp-overflow"),
    Row("exp2", "torch.exp2(x)", 200 * ONE, "exp-overflow"),
    Row("expm1", "torch.expm1(x)", 100 * ONE, "exp-overflow"),
    Row("sinh", "torch.sinh(x)", 100 * ONE, "exp-overflow"),
    Row("cosh", "torch.cosh(x)", 100 * ONE, "exp-overflow"),
    Row("special_erfcx", "torch.special.erfcx(x)", -100 * ONE, "exp-overflow"),
    Row("i0", "torch.i0(x)", 100 * ONE, "exp-overflow"),
    Row("special_i1", "torch.special.i1(x)", 100 * ONE, "exp-overflow"),
    Row("ldexp", "torch.ldexp(ONE, x)", 200 * ONE, "exp-overflow"),
    Row("add", "x + x", MAX, "exp-overflow", _SCALED + "x / MAX + x / MAX"),
    Row("sub", "x - (-MAX)", MAX, "exp-overflow", _SCALED + "x / MAX - (-MAX)"),
    Row("rsub", "torch.rsub(-MAX, x)", MAX, "exp-overflow", _SCALED + "torch.rsub(-MAX, x / MAX)"),
    Row("sum", "(x * 1e8).sum()", HUGE, "exp-overflow", _SCALED + "(x / HUGE * 1e8).sum()"),
    Row("nansum", "(x * 1e8).nansum()", HUGE, "exp-overflow", _SCALED + "(x / HUGE * 1e8).nansum()"),
    Row("cumsum", "(x * 1e8).cumsum(0)", HUGE, "exp-overflow", _SCALED + "(x / HUGE * 1e8).cumsum(0)"),
    Row("mean", "(x * 2e8).mean()", HUGE, "exp-overflow", _SCALED + "(x / HUGE * 2e8).mean()"),
    Row("mul", "x * x", HUGE, "exp-overflow", _SCALED + "(x / HUGE) * (x / HUGE)"),
    Row("mul", f"{_MASKED} * 0", ONE, "zero-times-inf", "finite-min: x.masked_fill(HIDDEN, -1e4) * 0"),
    Row("prod", "x.prod()", HUGE, "exp-overflow", _SCALED + "(x / HUGE).prod()"),
    Row("cumprod", "x.cumprod(0)", HUGE, "exp-overflow", _SCALED + "(x / HUGE).cumprod(0)"),
    Row("lerp", "torch.lerp(x, -x, 0.5)", MAX, "exp-overflow", _SCALED + "torch.lerp(x / MAX, -x / MAX, 0.5)"),
    Row("addcmul", "torch.addcmul(ONE, x, x)", HUGE, "exp-overflow", _SCALED + "torch.addcmul(ONE, x / HUGE, x)"),
    Row("mse_loss", "F.mse_loss(x, ONE)", HUGE, "exp-overflow", _SCALED + "F.mse_loss(x / HUGE, ONE)"),
    Row(
        "smooth_l1_loss",
        "F.smooth_l1_loss(x, -x)",
        MAX,
        "exp-overflow",
        _SCALED + "F.smooth_l1_loss(x / MAX, -x / MAX)",
    ),
    Row("huber_loss", "F.huber_loss(x, -x)", MAX, "exp-overflow", _SCALED + "F.huber_loss(x / MAX, -x / MAX)"),
    Row(
        "soft_margin_loss",
        "F.soft_margin_loss(x, -ONE)",
        100 * ONE,
        "exp-overflow",
        _SCALED + "F.soft_margin_loss(x / 100, -ONE)",
    ),
    Row(
        "multi_margin_loss",
        "F.multi_margin_loss(x[None], FIRST[:1])",
        FAR,
        "exp-overflow",
        _SCALED + "F.multi_margin_loss(x[None] / MAX, FIRST[:1])",
    ),
    Row(
        "multilabel_margin_loss",
        "F.multilabel_margin_loss(x[None], FIRST[None] - torch.tensor([0, 1, 1, 1]))",
        FAR,
        "exp-overflow",
        _SCALED + "F.multilabel_margin_loss(x[None] / MAX, FIRST[None] - torch.tensor([0, 1, 1, 1]))",
    ),
    Row("gelu", "F.gelu(x)", MAX, "exp-overflow", _SCALED + "F.gelu(x / MAX)"),
    Row("elu", "F.selu(x)", 3.4e38 * ONE, "exp-overflow", _SCALED + "F.selu(x / MAX)"),
    Row("prelu_kernel", "F.prelu(x, 10 * ONE[:1])", -MAX, "exp-overflow", _SCALED + "F.prelu(x / MAX, 10 * ONE[:1])"),
    Row(
        "scatter_add",
        "torch.zeros(1).scatter_add(0, FIRST, x)",
        MAX,
        "exp-overflow",
        _SCALED + "torch.zeros(1).scatter_add(0, FIRST, x / MAX)",
    ),
    Row(
        "scatter_reduce",
        "torch.zeros(1).scatter_reduce(0, FIRST, x, 'sum')",
        MAX,
        "exp-overflow",
        _SCALED + "torch.zeros(1).scatter_reduce(0, FIRST, x / MAX, 'sum')",
    ),
    Row(
        "index_add",
        "torch.zeros(1).index_add(0, FIRST, x)",
        MAX,
        "exp-overflow",
        _SCALED + "torch.zeros(1).index_add(0, FIRST, x / MAX)",
    ),
    Row(
        "index_reduce",
        "torch.ones(1).index_reduce(0, FIRST, x, 'prod')",
        HUGE,
        "exp-overflow",
        _SCALED + "torch.ones(1).index_reduce(0, FIRST, x / HUGE, 'prod')",
    ),
    Row(
        "segment_reduce",
        "torch.segment_reduce(x, 'sum', lengths=torch.tensor([4]))",
        MAX,
        "exp-overflow",
        _SCALED + "torch.segment_reduce(x / MAX, 'sum', lengths=torch.tensor([4]))",
    ),
    Row(
        "embedding_bag",
        "F.embedding_bag(FIRST[None], x[:1, None], mode='sum')",
        MAX,
        "exp-overflow",
        _SCALED + "F.embedding_bag(FIRST[None], x[:1, None] / MAX, mode='sum')",
    ),
    Row("mm", "x[None] @ x[:, None]", HUGE, "large-init", _SMALLER + "x[None] / HUGE @ x[:, None]"),
    Row(
        "addmm",
        "torch.addmm(ONE[:1], x[None], x[:, None])",
        HUGE,
        "large-init",
        _SMALLER + "torch.addmm(ONE[:1], x[None] / HUGE, x[:, None])",
    ),
    Row(
        "bmm",
        "x[None, None] @ x[None, :, None]",
        HUGE,
        "large-init",
        _SMALLER + "x[None, None] / HUGE @ x[None, :, None]",
    ),
    Row(
        "addbmm",
        "torch.addbmm(ONE[:1, None], x[None, None], x[None, :, None])",
        HUGE,
        "large-init",
        _SMALLER + "torch.addbmm(ONE[:1, None], x[None, None] / HUGE, x[None, :, None])",
    ),
    Row(
        "baddbmm",
        "torch.baddbmm(ONE[:1, None, None], x[None, None], x[None, :, None])",
        HUGE,
        "large-init",
        _SMALLER + "torch.baddbmm(ONE[:1, None, None], x[None, None] / HUGE, x[None, :, None])",
    ),
    Row("mv", "x[None].expand(4, 4) @ x", HUGE, "large-init", _SMALLER + "(x / HUGE)[None].expand(4, 4) @ x"),
    Row(
        "addmv",
        "torch.addmv(ONE[:1], x[None], x)",
        HUGE,
        "large-init",
        _SMALLER + "torch.addmv(ONE[:1], x[None] / HUGE, x)",
    ),
    Row(
        "addr",
        "torch.addr(SQUARE[:1, :1], x, x)",
        HUGE,
        "large-init",
        _SMALLER + "torch.addr(SQUARE[:1, :1], x / HUGE, x)",
    ),
    Row("dot", "x @ x", HUGE, "large-init", _SMALLER + "(x / HUGE) @ x"),
    Row(
        "vdot", "torch.vdot(x + 0j, x + 0j)", HUGE, "large-init", _SMALLER + "torch.vdot(x / HUGE + 0j, x / HUGE + 0j)"
    ),
    Row(
        "linalg_cross",
        "torch.linalg.cross(x[:3] * torch.tensor([1, 2, 3]), x[:3])",
        HUGE,
        "large-init",
        _SMALLER + "torch.linalg.cross(x[:3] * torch.tensor([1, 2, 3]), x[:3] / HUGE[:3])",
    ),
    Row(
        "trilinear",
        "F.bilinear(x[None], x[None], x[None, None].expand(1, 4, 4))",
        HUGE,
        "large-init",
        _SMALLER + "F.bilinear(x[None], x[None] / HUGE, x[None, None].expand(1, 4, 4) / HUGE)",
    ),
    Row(
        "convolution",
        "F.conv1d(x[None, None], x[None, None])",
        HUGE,
        "large-init",
        _SMALLER + "F.conv1d(x[None, None], x[None, None] / HUGE)",
    ),
    Row(
        "linalg_matrix_exp",
        "torch.linalg.matrix_exp(x)",
        1e3 * EYE,
        "exp-overflow",
        _SCALED + "torch.linalg.matrix_exp(x / 1e3)",
    ),
    Row("to_copy", "x.half()", HUGE, "fp16-overflow", "bf16: x.bfloat16()"),
    Row("to_copy", "(x.double() * 1e20).float()", HUGE, "exp-overflow", _SCALED + "(x.double() / 1e30 * 1e20).float()"),
    # ---------------------------------------------------------------- lengths and spreads
    Row(
        "linalg_vector_norm",
        "torch.linalg.vector_norm(x)",
        HUGE,
        "exp-overflow",
        _SCALED + "torch.linalg.vector_norm(x / HUGE)",
    ),
    Row("dist", "torch.dist(x, -x)", HUGE, "exp-overflow", _SCALED + "torch.dist(x / HUGE, -x / HUGE)"),
    Row(
        "cdist",
        "torch.cdist(x[None], -x[None])",
        HUGE,
        "exp-overflow",
        _SCALED + "torch.cdist(x[None] / HUGE, -x[None] / HUGE)",
    ),
    Row(
        "euclidean_dist",
        "torch.cdist(x[None].expand(30, 4), -x[None].expand(30, 4))",
        HUGE,
        "exp-overflow",
        _SCALED + "torch.cdist((x / HUGE).expand(30, 4), -(x / HUGE).expand(30, 4))",
    ),
    Row(
        "pdist", "F.pdist(torch.stack([x, -x]))", HUGE, "exp-overflow", _SCALED + "F.pdist(torch.stack([x, -x]) / HUGE)"
    ),
    Row("hypot", "torch.hypot(x, x)", MAX, "exp-overflow", _SCALED + "torch.hypot(x / MAX, x / MAX)"),
    Row(
        "abs",
        "torch.abs(torch.complex(x, x))",
        MAX,
        "exp-overflow",
        _SCALED + "torch.abs(torch.complex(x / MAX, x / MAX))",
    ),
    Row(
        "weight_norm_interface",
        "torch._weight_norm(x[None], ONE[:1, None], 0)",
        ZERO,
        "zero-norm",
        _SMALLER + "torch._weight_norm(x[None] + 1, ONE[:1, None], 0)",
    ),
    Row("var", "torch.var(x)", ONE[:1], "zero-variance", "batch-size: torch.var(torch.cat([x, 2 * x]))"),
    Row("std", "torch.std(x)", ONE[:1], "zero-variance", "batch-size: torch.std(torch.cat([x, 2 * x]))"),
    Row(
        "var_mean",
        "torch.var_mean(x)[0]",
        ONE[:1],
        "zero-variance",
        "batch-size: torch.var_mean(torch.cat([x, 2 * x]))[0]",
    ),
    Row(
        "std_mean",
        "torch.std_mean(x)[0]",
        ONE[:1],
        "zero-variance",
        "batch-size: torch.std_mean(torch.cat([x, 2 * x]))[0]",
    ),
    Row("var", "torch.var(x)", HUGE * FAR.sign(), "exp-overflow", _SCALED + "torch.var(x / HUGE)"),
    Row(
        "batch_norm",
        "F.batch_norm(x[:, None], ONE[:1], 0 * ONE[:1], eps=0.0)",
        2 * ONE,
        "zero-variance",
        _FLOOR + "F.batch_norm(x[:, None], ONE[:1], 0 * ONE[:1], eps=1e-5)",
    ),
    Row(
        "batch_norm_legit_no_training",
        "torch._native_batch_norm_legit_no_training(x[:, None], None, None, ONE[:1], 0 * ONE[:1], 0.1, 0.0)[0]",
        2 * ONE,
        "zero-variance",
        _FLOOR
        + "torch._native_batch_norm_legit_no_training(x[:, None], None, None, ONE[:1], 0 * ONE[:1], 0.1, 1e-5)[0]",
    ),
    Row(
        "layer_norm", "F.layer_norm(x, (4,), eps=0.0)", ONE, "zero-variance", _FLOOR + "F.layer_norm(x, (4,), eps=1e-5)"
    ),
    Row(
        "group_norm",
        "F.group_norm(x[None], 1, eps=0.0)",
        ONE,
        "zero-variance",
        _FLOOR + "F.group_norm(x[None], 1, eps=1e-5)",
    ),
    Row("rsqrt", "F.rms_norm(x, (4,), eps=0.0)", ZERO, "zero-div-zero", "eps: F.rms_norm(x, (4,), eps=1e-6)"),
    # ---------------------------------------------------------------- softmaxes
    Row("softmax", f"{_MASKED}.softmax(-1)", ONE, "masked-softmax-row"),
    Row("log_softmax", f"{_MASKED}.log_softmax(-1)", ONE, "masked-softmax-row"),
    Row(
        "masked_softmax",
        "torch._masked_softmax(x[None], HIDDEN[None], -1)",
        ONE,
        "masked-softmax-row",
        "mask-fix: torch._masked_softmax(x[None], HIDDEN[None] & ~HIDDEN.all(), -1)",
    ),
    Row(
        "scaled_dot_product_flash_attention_for_cpu",
        "F.scaled_dot_product_attention(x[None, None, None], x[None, None, None], x[None, None, None])",
        HUGE,
        "exp-overflow",
        "scale-logits: F.scaled_dot_product_attention((x / HUGE)[None, None, None], (x / HUGE)[None, None, None], "
        "x[None, None, None])",
    ),
    Row("masked_fill", _MASKED, ONE, "masked-softmax-row", "finite-min: x.masked_fill(HIDDEN, -1e4)"),
    Row("fill", "x.clone().fill_(-math.inf) + x", ONE, "masked-softmax-row", "finite-min: x.clone().fill_(-1e4) + x"),
    Row("full", "torch.full((4,), -math.inf) + x", ONE, "inf-in-loss", "finite-min: torch.full((4,), -1e4) + x"),
    Row(
        "full_like",
        "torch.full_like(x, -math.inf) + x",
        ONE,
        "masked-softmax-row",
        "finite-min: torch.full_like(x, -1e4) + x",
    ),
    Row(
        "new_full",
        "x.new_full((4,), -math.inf) + x",
        ONE,
        "masked-softmax-row",
        "finite-min: x.new_full((4,), -1e4) + x",
    ),
    Row(
        "scalar_tensor",
        "torch.where(x > 0, -math.inf, x)",
        ONE,
        "inf-in-loss",
        "finite-min: torch.where(x > 0, -1e4, x)",
    ),
    Row(
        "tensor",
        "torch.where(x > 0, torch.tensor(-math.inf), x)",
        ONE,
        "inf-in-loss",
        "finite-min: torch.where(x > 0, torch.tensor(-1e4), x)",
    ),
    # ---------------------------------------------------------------- losses
    Row(
        "binary_cross_entropy_with_logits",
        "F.binary_cross_entropy_with_logits(x, -HUGE)",
        HUGE,
        "exp-overflow",
        "scale-logits: F.binary_cross_entropy_with_logits(x / HUGE, -HUGE)",
    ),
    Row(
        "nll_loss",
        "F.cross_entropy(x.expand(4, 4), IGNORED)",
        ONE,
        "masked-loss",
        "mask-fix: F.cross_entropy(x.expand(4, 4), IGNORED.clamp(min=0))",
    ),
    Row(
        "nll_loss2d",
        "F.cross_entropy(x[None, :, None, None], IGNORED[:1, None, None])",
        ONE,
        "masked-loss",
        "mask-fix: F.cross_entropy(x[None, :, None, None], IGNORED[:1, None, None].clamp(min=0))",
    ),
    Row("ctc_loss", _CTC, torch.ones(8, 4), "ctc-infeasible"),
    # ---------------------------------------------------------------- matrices
    Row("linalg_det", "torch.linalg.det(x)", 1e30 * EYE, "exp-overflow", "slogdet: torch.linalg.slogdet(x)[1]"),
    Row(
        "linalg_inv_ex",
        "torch.linalg.inv_ex(x)[0]",
        SQUARE,
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.inv_ex(x + EYE)[0]",
    ),
    Row(
        "linalg_solve_ex",
        "torch.linalg.solve_ex(x, EYE)[0]",
        SQUARE,
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.solve_ex(x + EYE, EYE)[0]",
    ),
    Row(
        "linalg_solve_triangular",
        "torch.linalg.solve_triangular(x, EYE, upper=True)",
        0 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.solve_triangular(x + EYE, EYE, upper=True)",
    ),
    Row(
        "triangular_solve",
        "torch.triangular_solve(EYE, x)[0]",
        0 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.triangular_solve(EYE, x + EYE)[0]",
    ),
    Row(
        "linalg_lu_solve",
        "torch.linalg.lu_solve(x, PIVOTS, EYE)",
        0 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.lu_solve(x + EYE, PIVOTS, EYE)",
    ),
    Row(
        "linalg_lstsq",
        "torch.linalg.lstsq(x, EYE).solution",
        1e-42 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.lstsq(x + EYE, EYE).solution",
    ),
    Row(
        "linalg_pinv",
        "torch.linalg.pinv(x)",
        1e-42 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.pinv(x + EYE)",
    ),
    Row(
        "cholesky_solve",
        "torch.cholesky_solve(EYE, x)",
        1e-30 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.cholesky_solve(EYE, x + EYE)",
    ),
    Row(
        "cholesky_inverse",
        "torch.cholesky_inverse(x)",
        1e-30 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.cholesky_inverse(x + EYE)",
    ),
    Row(
        "linalg_householder_product",
        "torch.linalg.householder_product(x, ONE[:3])",
        1e30 * SQUARE,
        "exp-overflow",
        _SCALED + "torch.linalg.householder_product(x / 1e30, ONE[:3])",
    ),
    Row(
        "ormqr",
        "torch.ormqr(x, ONE[:3], EYE)",
        1e30 * SQUARE,
        "exp-overflow",
        _SCALED + "torch.ormqr(x / 1e30, ONE[:3], EYE)",
    ),
    Row(
        "linalg_svd",
        "torch.linalg.svd(x)[1]",
        3e38 * SQUARE,
        "exp-overflow",
        _SCALED + "torch.linalg.svd(x / 3e38 + torch.diag(PIVOTS.float()))[1]",
    ),
    Row(
        "linalg_eigh",
        "torch.linalg.eigh(x)[0]",
        3e38 * SQUARE,
        "exp-overflow",
        _SCALED + "torch.linalg.eigh(x / 3e38)[0]",
    ),
    Row(
        "linalg_slogdet",
        "torch.linalg.slogdet(x)[1]",
        0 * EYE,
        "negative-determinant",
        _JITTER + "torch.linalg.slogdet(x + EYE)[1]",
    ),
    Row("logdet", "torch.logdet(x)", torch.diag(torch.tensor([-1.0, 1, 1])), "negative-determinant"),
    # ---------------------------------------------------------------- transforms
    Row("fft_r2c", "torch.fft.rfft(x)", MAX, "exp-overflow", _SCALED + "torch.fft.rfft(x / MAX)"),
    Row("fft_c2c", "torch.fft.fft(x + 0j)", MAX, "exp-overflow", _SCALED + "torch.fft.fft(x / MAX + 0j)"),
)
"""What each puts out is not finite."""

BACKWARD = (
    # ---------------------------------------------------------------- logarithms and roots
    Row("log", "torch.log(x)", TINY, "log-zero"),
    Row("log2", "torch.log2(x)", TINY, "log-zero"),
    Row("log10", "torch.log10(x)", TINY, "log-zero"),
    Row("logit", "torch.logit(x)", TINY, "log-zero"),
    Row("log1p", "torch.log1p(x)", -0.9999999 * ONE, "log-zero", pull=1e38),
    Row("xlogy", "torch.xlogy(x, x)", ZERO, "log-zero"),
    Row("special_xlog1py", "torch.special.xlog1py(ONE, x)", -0.9999999 * ONE, "log-zero", pull=1e38),
    Row("special_entr", "torch.special.entr(x)", ZERO, "log-zero"),
    Row("special_log_ndtr", "torch.special.log_ndtr(x)", -1e18 * ONE, "log-zero", pull=1e30),
    Row("lgamma", "torch.lgamma(x)", TINY, "log-zero"),
    Row("mvlgamma", "torch.mvlgamma(x, 1)", TINY, "log-zero"),
    Row("digamma", "torch.digamma(x)", 1e-25 * ONE, "log-zero"),
    Row("polygamma", "torch.polygamma(1, x)", 1e-15 * ONE, "log-zero"),
    Row("sqrt", "torch.sqrt(x)", ZERO, "sqrt-zero"),
    Row("rsqrt", "torch.rsqrt(x)", SMALL, "sqrt-zero"),
    Row("pow", "x**0.5", ZERO, "pow-domain"),
    Row("pow", "x**3", 1e10 * ONE, "exp-overflow", _SCALED + "(x / 1e10) ** 3", pull=1e30),
    Row("acos", "torch.acos(x)", ONE, "acos-boundary"),
    Row("asin", "torch.asin(x)", ONE, "acos-boundary"),
    Row("acosh", "torch.acosh(x)", ONE, "acos-boundary"),
    Row("atanh", "torch.atanh(x)", 0.9999999 * ONE, "acos-boundary", pull=1e35),
    Row("erfinv", "torch.erfinv(x)", 0.9999999 * ONE, "acos-boundary", pull=1e35),
    Row("special_ndtri", "torch.special.ndtri(x)", 1e-38 * ONE, "acos-boundary", pull=1e3),
    # ---------------------------------------------------------------- divisions
    Row("div", "1e-10 * ONE / x", SMALL, "small-denominator"),
    Row("reciprocal", "torch.reciprocal(x)", SMALL, "small-denominator"),
    Row("addcdiv", "torch.addcdiv(ONE, ONE, x)", SMALL, "small-denominator"),
    Row("remainder", "torch.remainder(ONE, x)", SMALL, "small-denominator", pull=1e10),
    Row("fmod", "torch.fmod(ONE, x)", SMALL, "small-denominator", pull=1e10),
    # ---------------------------------------------------------------- growth
    Row("exp", "torch.exp(x)", 88 * ONE, "exp-overflow", pull=10),
    Row("exp2", "torch.exp2(x)", 127 * ONE, "exp-overflow", pull=10),
    Row("expm1", "torch.expm1(x)", 88 * ONE, "exp-overflow", pull=10),
    Row("sinh", "torch.sinh(x)", 88 * ONE, "exp-overflow", pull=10),
    Row("cosh", "torch.cosh(x)", 88 * ONE, "exp-overflow", pull=10),
    Row("special_erfcx", "torch.special.erfcx(x)", -9.3 * ONE, "exp-overflow", pull=10),
    Row("i0", "torch.i0(x)", 88 * ONE, "exp-overflow", pull=100),
    Row("special_i1", "torch.special.i1(x)", 88 * ONE, "exp-overflow", pull=100),
    Row("ldexp", "torch.ldexp(ONE, x)", 127 * ONE, "exp-overflow", pull=10),
    Row("mul", "x * x", LARGE, "exp-overflow", _SCALED + "(x / LARGE) * (x / LARGE)", pull=1e30),
    Row("prod", "x.prod()", 1e8 * ONE, "exp-overflow", _SCALED + "(x / LARGE).prod()", pull=1e30),
    Row("cumprod", "x.cumprod(0)", 1e8 * ONE, "exp-overflow", _SCALED + "(x / LARGE).cumprod(0)", pull=1e30),
    Row(
        "lerp",
        "torch.lerp(LARGE, -LARGE, x)",
        LARGE,
        "exp-overflow",
        _SCALED + "torch.lerp(ONE, -ONE, x / LARGE)",
        pull=1e30,
    ),
    Row(
        "addcmul",
        "torch.addcmul(ONE, x, x)",
        LARGE,
        "exp-overflow",
        _SCALED + "torch.addcmul(ONE, x / LARGE, x / LARGE)",
        pull=1e30,
    ),
    Row(
        "mse_loss", "F.mse_loss(x, -x)", LARGE, "exp-overflow", _SCALED + "F.mse_loss(x / LARGE, -x / LARGE)", pull=1e30
    ),
    Row(
        "soft_margin_loss",
        "F.soft_margin_loss(x, -LARGE)",
        ONE * 1e-14,
        "exp-overflow",
        _SCALED + "F.soft_margin_loss(x, -ONE)",
        pull=1e30,
    ),
    Row(
        "multi_margin_loss",
        "F.multi_margin_loss(x[None], FIRST[:1], p=2)",
        -APART,
        "exp-overflow",
        _SCALED + "F.multi_margin_loss(x[None] / 1e18, FIRST[:1], p=2)",
        pull=1e30,
    ),
    Row(
        "gelu",
        "F.gelu(x, approximate='tanh')",
        -1e20 * ONE,
        "exp-overflow",
        _SCALED + "F.gelu(x / 1e20, approximate='tanh')",
    ),
    Row(
        "prelu_kernel",
        "F.prelu(x, x[:1])",
        -LARGE,
        "exp-overflow",
        _SCALED + "F.prelu(x / LARGE, x[:1] / 1e15)",
        pull=1e30,
    ),
    Row(
        "scatter_reduce",
        "torch.ones(1).scatter_reduce(0, FIRST, x, 'prod')",
        1e8 * ONE,
        "exp-overflow",
        _SCALED + "torch.ones(1).scatter_reduce(0, FIRST, x / LARGE, 'prod')",
        pull=1e30,
    ),
    Row(
        "index_reduce",
        "torch.ones(1).index_reduce(0, FIRST, x, 'prod')",
        1e8 * ONE,
        "exp-overflow",
        _SCALED + "torch.ones(1).index_reduce(0, FIRST, x / LARGE, 'prod')",
        pull=1e30,
    ),
    Row(
        "segment_reduce",
        "torch.segment_reduce(x, 'prod', lengths=torch.tensor([4]))",
        1e8 * ONE,
        "exp-overflow",
        _SCALED + "torch.segment_reduce(x / LARGE, 'prod', lengths=torch.tensor([4]))",
        pull=1e30,
    ),
    Row(
        "mm",
        "x[None] @ x[:, None]",
        LARGE,
        "large-init",
        _SMALLER + "(x / LARGE)[None] @ (x / LARGE)[:, None]",
        pull=1e30,
    ),
    Row(
        "bmm",
        "x[None, None] @ x[None, :, None]",
        LARGE,
        "large-init",
        _SMALLER + "(x / LARGE)[None, None] @ (x / LARGE)[None, :, None]",
        pull=1e30,
    ),
    Row(
        "addmm",
        "torch.addmm(ONE[:1], x[None], x[:, None])",
        LARGE,
        "large-init",
        _SMALLER + "torch.addmm(ONE[:1], (x / LARGE)[None], (x / LARGE)[:, None])",
        pull=1e30,
    ),
    Row(
        "addbmm",
        "torch.addbmm(ONE[:1, None], x[None, None], x[None, :, None])",
        LARGE,
        "large-init",
        _SMALLER + "torch.addbmm(ONE[:1, None], (x / LARGE)[None, None], (x / LARGE)[None, :, None])",
        pull=1e30,
    ),
    Row(
        "baddbmm",
        "torch.baddbmm(ONE[:1, None, None], x[None, None], x[None, :, None])",
        LARGE,
        "large-init",
        _SMALLER + "torch.baddbmm(ONE[:1, None, None], (x / LARGE)[None, None], (x / LARGE)[None, :, None])",
        pull=1e30,
    ),
    Row("mv", "x[None].mv(x)", LARGE, "large-init", _SMALLER + "(x / LARGE)[None].mv(x / LARGE)", pull=1e30),
    Row(
        "addmv",
        "torch.addmv(ONE[:1], x[None], x)",
        LARGE,
        "large-init",
        _SMALLER + "torch.addmv(ONE[:1], (x / LARGE)[None], x / LARGE)",
        pull=1e30,
    ),
    Row(
        "addr",
        "torch.addr(SQUARE[:1, :1], x, x)",
        LARGE,
        "large-init",
        _SMALLER + "torch.addr(SQUARE[:1, :1], x / LARGE, x / LARGE)",
        pull=1e30,
    ),
    Row("dot", "x.dot(x)", LARGE, "large-init", _SMALLER + "(x / LARGE).dot(x / LARGE)", pull=1e30),
    Row(
        "vdot",
        "torch.vdot(x + 0j, x + 0j)",
        LARGE,
        "large-init",
        _SMALLER + "torch.vdot(x / LARGE + 0j, x / LARGE + 0j)",
        pull=1e30,
    ),
    Row(
        "linalg_cross",
        "torch.linalg.cross(x[:3], LARGE[:3])",
        LARGE,
        "large-init",
        _SMALLER + "torch.linalg.cross(x[:3] / 1e15, ONE[:3])",
        pull=1e30,
    ),
    Row(
        "trilinear",
        "F.bilinear(x[None], x[None], x[None, None].expand(1, 4, 4))",
        1e8 * ONE,
        "large-init",
        _SMALLER + "F.bilinear((x / LARGE)[None], (x / LARGE)[None], (x / LARGE).expand(1, 4, 4))",
        pull=1e30,
    ),
    Row(
        "convolution",
        "F.conv1d(x[None, None], x[None, None])",
        LARGE,
        "large-init",
        _SMALLER + "F.conv1d((x / LARGE)[None, None], (x / LARGE)[None, None])",
        pull=1e30,
    ),
    Row("to_copy", "x.half().float()", ONE, "fp16-overflow", "bf16: x.bfloat16().float()", pull=1e30),
    # ---------------------------------------------------------------- lengths and spreads
    Row(
        "linalg_vector_norm",
        "torch.linalg.vector_norm(x, 3)",
        1e-13 * ONE,
        "sqrt-zero",
        "eps: (x.abs() ** 3 + 1e-8).sum() ** (1 / 3)",
        pull=1e14,
    ),
    Row(
        "norm",
        "torch.ops.aten.norm(x, 3)",
        1e-13 * ONE,
        "sqrt-zero",
        "eps: (x.abs() ** 3 + 1e-8).sum() ** (1 / 3)",
        pull=1e14,
    ),
    Row(
        "dist",
        "torch.dist(x, 2 * x, 3.0)",
        1e-13 * ONE,
        "sqrt-zero",
        "eps: ((x - 2 * x).abs() ** 3 + 1e-8).sum() ** (1 / 3)",
        pull=1e14,
    ),
    Row(
        "cdist",
        "torch.cdist(x[None], 2 * x[None], p=3.0)",
        1e10 * ONE,
        "exp-overflow",
        _SCALED + "torch.cdist(x[None] / 1e10, x[None] / 5e9, p=3.0)",
        pull=1e30,
    ),
    Row(
        "pdist",
        "F.pdist(torch.stack([x, 2 * x]), 3.0)",
        1e10 * ONE,
        "exp-overflow",
        _SCALED + "F.pdist(torch.stack([x, 2 * x]) / 1e10, 3.0)",
        pull=1e30,
    ),
    Row(
        "renorm",
        "torch.renorm(x[None], 2, 0, 1.0)",
        3 * ONE,
        "exp-overflow",
        _SCALED + "torch.renorm(x[None] / 10, 2, 0, 1.0)",
        pull=3e38,
    ),
    Row("hypot", "torch.hypot(x, x)", ZERO, "sqrt-zero"),
    Row(
        "angle",
        "torch.angle(torch.complex(x, x))",
        1e-15 * ONE,
        "sqrt-zero",
        "eps: torch.angle(torch.complex(x + 1e-6, x))",
        pull=1e30,
    ),
    Row(
        "sgn",
        "torch.sgn(torch.complex(x, -x)).real",
        1e-15 * ONE,
        "sqrt-zero",
        "eps: torch.sgn(torch.complex(x + 1e-6, -x)).real",
        pull=1e30,
    ),
    Row(
        "weight_norm_interface",
        "torch._weight_norm(x[None], ONE[:1, None], 0)",
        1e-15 * ONE,
        "zero-norm",
        _SMALLER + "torch._weight_norm(x[None] + 1, ONE[:1, None], 0)",
        pull=1e30,
    ),
    Row(
        "std",
        "torch.std(x, unbiased=False)",
        torch.tensor([1e-18, 0, 0, 0]),
        "zero-variance",
        _FLOOR + "torch.sqrt(x.var(unbiased=False) + 1e-5)",
        pull=1e22,
    ),
    Row(
        "std_mean",
        "torch.std_mean(x)[0]",
        torch.tensor([1e-18, 0, 0, 0]),
        "zero-variance",
        "data-cleaning: torch.std_mean(x + PIVOTS.new_tensor([0, 1, 2, 3]))[0]",
        pull=1e22,
    ),
    Row("var", "torch.var(x)", APART, "exp-overflow", _SCALED + "torch.var(x / 1e18)", pull=1e30),
    Row("var_mean", "torch.var_mean(x)[0]", APART, "exp-overflow", _SCALED + "torch.var_mean(x / 1e18)[0]", pull=1e30),
    Row(
        "batch_norm",
        "F.batch_norm(x[:, None], ONE[:1], 0 * ONE[:1], eps=1e-38)",
        ONE,
        "zero-variance",
        _FLOOR + "F.batch_norm(x[:, None], ONE[:1], 0 * ONE[:1], eps=1e-5)",
        pull=1e30,
    ),
    Row(
        "batch_norm_legit",
        "torch._native_batch_norm_legit(x[:, None], None, None, True, 0.1, 1e-38)[0][1]",
        1e-25 * torch.arange(4.0),
        "zero-variance",
        _FLOOR + "torch._native_batch_norm_legit(x[:, None], None, None, True, 0.1, 1e-5)[0][1]",
        pull=1e30,
    ),
    Row(
        "batch_norm_legit_no_training",
        "torch._native_batch_norm_legit_no_training(x[:, None], None, None, ONE[:1], 0 * ONE[:1], 0.1, 1e-38)[0]",
        ONE,
        "zero-variance",
        _FLOOR
        + "torch._native_batch_norm_legit_no_training(x[:, None], None, None, ONE[:1], 0 * ONE[:1], 0.1, 1e-5)[0]",
        pull=1e30,
    ),
    Row(
        "layer_norm",
        "F.layer_norm(x, (4,), eps=1e-38)",
        1e-25 * torch.arange(4.0),
        "zero-variance",
        _FLOOR + "F.layer_norm(x, (4,), eps=1e-5)",
        pull=1e30,
    ),
    Row(
        "group_norm",
        "F.group_norm(x[None], 1, eps=1e-38)",
        1e-25 * torch.arange(4.0),
        "zero-variance",
        _FLOOR + "F.group_norm(x[None], 1, eps=1e-5)",
        pull=1e30,
    ),
    # ---------------------------------------------------------------- softmaxes
    Row("softmax", f"{_MASKED}.softmax(-1).nan_to_num()", ONE, "masked-softmax-row"),
    Row("log_softmax", f"{_MASKED}.log_softmax(-1).nan_to_num()", ONE, "masked-softmax-row"),
    Row(
        "scaled_dot_product_flash_attention_for_cpu",
        "F.scaled_dot_product_attention(x[None, None, :, None], x[None, None, :, None], x[None, None, :, None])",
        1e18 * torch.arange(4),
        "exp-overflow",
        "scale-logits: F.scaled_dot_product_attention(*[(x / 1e18)[None, None, :, None]] * 3)",
        pull=1e30,
    ),
    Row(
        "logsumexp",
        f"{_MASKED}.logsumexp(-1).exp()",
        ONE,
        "logsumexp-neginf",
        "finite-min: x.masked_fill(HIDDEN, -1e4).logsumexp(-1).exp()",
    ),
    Row(
        "logcumsumexp",
        f"{_MASKED}.logcumsumexp(-1).exp()",
        ONE,
        "logsumexp-neginf",
        "finite-min: x.masked_fill(HIDDEN, -1e4).logcumsumexp(-1).exp()",
    ),
    Row(
        "logaddexp",
        f"torch.logaddexp({_MASKED}, {_MASKED}).exp()",
        ONE,
        "logsumexp-neginf",
        "finite-min: torch.logaddexp(x.masked_fill(HIDDEN, -1e4), x.masked_fill(HIDDEN, -1e4)).exp()",
    ),
    Row(
        "logaddexp2",
        f"torch.logaddexp2({_MASKED}, {_MASKED}).exp()",
        ONE,
        "logsumexp-neginf",
        "finite-min: torch.logaddexp2(x.masked_fill(HIDDEN, -1e4), x.masked_fill(HIDDEN, -1e4)).exp()",
    ),
    # ---------------------------------------------------------------- losses
    Row(
        "binary_cross_entropy",
        "F.binary_cross_entropy(x, ONE)",
        ZERO,
        "log-zero",
        "clamp: F.binary_cross_entropy(x.clamp(1e-7, 1 - 1e-7), ONE)",
        pull=1e30,
    ),
    Row(
        "binary_cross_entropy_with_logits",
        "F.binary_cross_entropy_with_logits(x, LARGE)",
        ONE,
        "exp-overflow",
        "scale-logits: F.binary_cross_entropy_with_logits(x, LARGE / 1e15)",
        pull=1e30,
    ),
    Row("ctc_loss", f"{_CTC}.clamp(max=1)", torch.ones(8, 4), "ctc-infeasible"),
    # ---------------------------------------------------------------- matrices
    Row(
        "linalg_det",
        "torch.linalg.det(x)",
        torch.diag(torch.tensor([1e-30, 1e15, 1e15])),
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.det(x / 1e15 + EYE)",
        pull=1e10,
    ),
    Row("linalg_svd", "torch.linalg.svd(x)[0]", EYE, "degenerate-eigenvalues"),
    Row("linalg_eigh", "torch.linalg.eigh(x)[1]", EYE, "degenerate-eigenvalues"),
    Row(
        "linalg_eig",
        "torch.linalg.eig(x)[1].real",
        EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.eig(x + torch.diag(1e-3 * PIVOTS))[1].real",
    ),
    Row(
        "linalg_qr", "torch.linalg.qr(x)[0]", SQUARE, "degenerate-eigenvalues", _JITTER + "torch.linalg.qr(x + EYE)[0]"
    ),
    Row(
        "linalg_lu", "torch.linalg.lu(x)[1]", 0 * EYE, "degenerate-eigenvalues", _JITTER + "torch.linalg.lu(x + EYE)[1]"
    ),
    Row(
        "linalg_lu_factor_ex",
        "torch.linalg.lu_factor(x)[0]",
        1e-15 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.lu_factor(x + EYE)[0]",
        pull=1e30,
    ),
    Row(
        "linalg_inv_ex",
        "torch.linalg.inv(x)",
        1e-30 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.inv(x + EYE)",
    ),
    Row(
        "linalg_solve_ex",
        "torch.linalg.solve(x, EYE)",
        1e-25 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.solve(x + EYE, EYE)",
    ),
    Row(
        "linalg_solve_triangular",
        "torch.linalg.solve_triangular(x, EYE, upper=True)",
        1e-25 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.solve_triangular(x + EYE, EYE, upper=True)",
    ),
    Row(
        "triangular_solve",
        "torch.triangular_solve(EYE, x)[0]",
        1e-25 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.triangular_solve(EYE, x + EYE)[0]",
    ),
    Row(
        "linalg_lu_solve",
        "torch.linalg.lu_solve(x, PIVOTS, EYE)",
        1e-25 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.lu_solve(x + EYE, PIVOTS, EYE)",
    ),
    Row(
        "linalg_lstsq",
        "torch.linalg.lstsq(x, EYE).solution",
        1e-25 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.lstsq(x + EYE, EYE).solution",
    ),
    Row(
        "linalg_pinv",
        "torch.linalg.pinv(x)",
        1e-25 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.pinv(x + EYE)",
    ),
    Row(
        "linalg_cholesky_ex",
        "torch.linalg.cholesky_ex(x)[0]",
        0 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.cholesky_ex(x + EYE)[0]",
    ),
    Row(
        "cholesky_solve",
        "torch.cholesky_solve(EYE, x)",
        1e-15 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.cholesky_solve(EYE, x + EYE)",
    ),
    Row(
        "cholesky_inverse",
        "torch.cholesky_inverse(x)",
        1e-15 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.cholesky_inverse(x + EYE)",
    ),
    Row(
        "ormqr",
        "torch.ormqr(x, ONE[:3], EYE)",
        1e8 * SQUARE,
        "degenerate-eigenvalues",
        _JITTER + "torch.ormqr(x / 1e8 + EYE, ONE[:3], EYE)",
        pull=1e30,
    ),
    Row(
        "linalg_householder_product",
        "torch.linalg.householder_product(x, ONE[:3])",
        1e12 * SQUARE,
        "degenerate-eigenvalues",
        _JITTER + "torch.linalg.householder_product(x / 1e12 + EYE, ONE[:3])",
    ),
    Row(
        "linalg_slogdet",
        "torch.logdet(x)",
        1e-12 * EYE,
        "degenerate-eigenvalues",
        _JITTER + "torch.logdet(x + EYE)",
        pull=1e30,
    ),
    # ---------------------------------------------------------------- resampling
    Row(
        "grid_sampler_2d",
        "F.grid_sample(x.view(1, 1, 2, 2), (x[:2] * 1e-20).view(1, 1, 1, 2))",
        1e15 * torch.arange(4),
        "exp-overflow",
        _SCALED + "F.grid_sample(x.view(1, 1, 2, 2) / 1e15, (x[:2] * 1e-20).view(1, 1, 1, 2))",
        pull=1e30,
    ),
    Row(
        "grid_sampler_3d",
        "F.grid_sample(x.view(1, 1, 2, 2, 2), (x[:3] * 1e-20).view(1, 1, 1, 1, 3))",
        1e15 * torch.arange(8),
        "exp-overflow",
        _SCALED + "F.grid_sample(x.view(1, 1, 2, 2, 2) / 1e15, (x[:3] * 1e-20).view(1, 1, 1, 1, 3))",
        pull=1e30,
    ),
)
"""What each puts out is finite, and its gradient is not."""
