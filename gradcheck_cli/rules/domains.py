"""The domain of every op that can turn finite values into NaN or Inf: op -> what does it, forward and backward.

An op is known by its plain name, matched whole: that of the dispatcher forward, that of the node backward, which differ
for some. An op that is not here has the cause "unknown". The candidates come from torch's own op database;
tests/nonfinite/candidates.py holds those that have no row, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gradcheck_cli.records.ops import ATTENTIONS


@dataclass(frozen=True, kw_only=True, slots=True)
class Domain:
    """What makes an op non-finite.

    Attributes:
        forward: The cause where it puts out what is not finite; "" where it never does that by itself. A second one,
            behind a "|", is for an argument below zero.
        backward: The cause where a finite gradient goes in and one comes out that is not; likewise.
        argument: The operand that makes the trouble; "" for the first.
    """

    forward: str = ""
    backward: str = ""
    argument: str = ""


_TABLE = (
    # ---------------------------------------------------------------- logarithms and roots
    ("log log2 log10 logit", "log-zero|log-negative", "log-zero|log-negative", "self"),
    ("log1p", "log-zero|log-negative", "log-zero|log-negative", "self"),
    ("xlogy special_xlog1py", "log-zero|log-negative", "log-zero|log-negative", "other"),
    ("special_entr", "log-negative", "log-zero|log-negative", "self"),
    ("special_log_ndtr", "log-zero", "log-zero", "self"),
    ("lgamma digamma polygamma mvlgamma", "log-zero", "log-zero", "self"),
    ("sqrt", "sqrt-zero|log-negative", "sqrt-zero", "self"),
    ("rsqrt", "zero-div-zero|log-negative", "sqrt-zero", "self"),
    ("pow", "pow-domain", "pow-domain", "self"),
    ("acos asin acosh atanh", "acos-boundary", "acos-boundary", "self"),
    ("erfinv special_ndtri", "acos-boundary", "acos-boundary", "self"),
    # ---------------------------------------------------------------- divisions
    ("div", "zero-div-zero", "zero-div-zero", "other"),
    ("remainder fmod", "zero-div-zero", "zero-div-zero", "other"),
    ("reciprocal", "zero-div-zero", "zero-div-zero", "self"),
    ("addcdiv", "zero-div-zero", "zero-div-zero", "tensor2"),
    # ---------------------------------------------------------------- growth
    ("exp exp2 expm1 sinh cosh special_erfcx i0 special_i1", "exp-overflow", "exp-overflow", "self"),
    ("ldexp", "exp-overflow", "exp-overflow", "other"),
    ("add sub rsub sum nansum cumsum mean", "exp-overflow", "", "self"),
    ("mul prod cumprod lerp", "exp-overflow", "zero-times-inf", "self"),
    ("addcmul mse_loss soft_margin_loss multi_margin_loss", "exp-overflow", "exp-overflow", "self"),
    ("smooth_l1_loss huber_loss multilabel_margin_loss elu", "exp-overflow", "", "self"),
    ("gelu prelu_kernel", "exp-overflow", "exp-overflow", "self"),
    ("scatter_add index_add embedding_bag", "exp-overflow", "", ""),
    ("scatter_reduce index_reduce segment_reduce", "exp-overflow", "exp-overflow", ""),
    ("mm bmm addmm addbmm baddbmm mv addmv addr dot vdot linalg_cross trilinear", "large-init", "large-init", ""),
    ("convolution convolution_overrideable", "large-init", "large-init", ""),
    ("linalg_matrix_exp", "exp-overflow", "", "self"),
    ("to_copy", "fp16-overflow", "fp16-overflow", "self"),
    # ---------------------------------------------------------------- lengths and spreads
    ("cdist", "exp-overflow", "sqrt-zero", "x1"),
    ("norm linalg_vector_norm dist pdist", "exp-overflow", "sqrt-zero", "self"),
    ("hypot", "exp-overflow", "sqrt-zero", "self"),
    ("renorm", "", "sqrt-zero", "self"),
    ("euclidean_dist", "exp-overflow", "", "self"),
    ("weight_norm_interface", "zero-norm", "zero-norm", ""),
    ("std std_mean var var_mean", "zero-variance", "zero-variance", "self"),
    ("batch_norm batch_norm_legit batch_norm_legit_no_training", "zero-variance", "zero-variance", ""),
    ("batch_norm_with_update cudnn_batch_norm miopen_batch_norm", "zero-variance", "zero-variance", ""),
    ("layer_norm group_norm fused_rms_norm", "zero-variance", "zero-variance", ""),
    # ---------------------------------------------------------------- softmaxes
    ("softmax log_softmax", "masked-softmax-row", "masked-softmax-row", "self"),
    ("masked_softmax", "masked-softmax-row", "", "self"),
    (" ".join(sorted(ATTENTIONS)), "masked-softmax-row", "masked-softmax-row", ""),
    ("logsumexp logcumsumexp logaddexp logaddexp2", "logsumexp-neginf", "logsumexp-neginf", "self"),
    ("masked_fill where masked_scatter fill full full_like new_full scalar_tensor tensor", "inf-in-loss", "", ""),
    # ---------------------------------------------------------------- losses
    ("binary_cross_entropy", "", "log-zero", "self"),
    ("binary_cross_entropy_with_logits", "exp-overflow", "exp-overflow", "self"),
    ("nll_loss nll_loss2d", "masked-loss", "", "target"),
    ("ctc_loss cudnn_ctc_loss miopen_ctc_loss", "ctc-infeasible", "ctc-infeasible", "target_lengths"),
    # ---------------------------------------------------------------- matrices
    ("linalg_inv_ex linalg_solve_ex linalg_solve_triangular", *["degenerate-eigenvalues"] * 2, ""),
    ("linalg_lu_solve linalg_lstsq linalg_pinv", *["degenerate-eigenvalues"] * 2, ""),
    ("linalg_det linalg_svd linalg_eigh ormqr linalg_householder_product", *["degenerate-eigenvalues"] * 2, ""),
    ("linalg_lu linalg_lu_factor_ex linalg_qr linalg_eig linalg_cholesky_ex", "", "degenerate-eigenvalues", ""),
    ("triangular_solve cholesky_solve cholesky_inverse", *["degenerate-eigenvalues"] * 2, ""),
    ("linalg_slogdet", "negative-determinant", "degenerate-eigenvalues", ""),
    ("logdet", "negative-determinant", "", ""),
    # ---------------------------------------------------------------- complex numbers and resampling
    ("abs", "exp-overflow", "", "self"),
    ("angle sgn", "", "sqrt-zero", "self"),
    ("fft_r2c fft_c2c", "exp-overflow", "", "self"),
    ("grid_sampler_2d grid_sampler_3d", "", "exp-overflow", "input"),
)


def _domains() -> Mapping[str, Domain]:
    return {
        op: Domain(forward=forward, backward=backward, argument=argument)
        for ops, forward, backward, argument in _TABLE
        for op in ops.split()
    }


DOMAINS: Mapping[str, Domain] = _domains()
"""Every op that is known, by its plain name."""
UNKNOWN = Domain(forward="unknown", backward="unknown")
"""What is known of every other op."""
