"""The ops that turn finite samples of torch's own op database into NaN or Inf, by plain name.

Taken from torch.testing._internal.common_methods_invocations.op_db with the samples as they are, and set to 0, 1, below
-1, 1e30 and 1e-30 times themselves, +-200 and half zeros, one operand at a time and all together.
"""

from __future__ import annotations

FORWARD = (
    "acos acosh addbmm addcdiv addcmul addmm addmv addr asin atanh baddbmm batch_norm "
    "batch_norm_legit binary_cross_entropy_with_logits bmm convolution cosh ctc_loss cumprod digamma "
    "dist div dot embedding_bag empty_like erfinv exp exp2 expm1 fmod i0 index_reduce layer_norm "
    "ldexp lgamma linalg_cross linalg_det linalg_householder_product linalg_inv_ex linalg_lstsq "
    "linalg_lu_solve linalg_matrix_exp linalg_slogdet linalg_solve_ex linalg_solve_triangular "
    "linalg_vector_norm linear_cross_entropy_batch_chunked "
    "linear_cross_entropy_batch_chunked_no_reduction log log10 log1p log2 logit mm mse_loss mul mv "
    "mvlgamma nll_loss norm ormqr pdist polygamma pow prelu_kernel prod reciprocal remainder rsqrt "
    "scalar_tensor scatter_reduce sinh soft_margin_loss softmax_backward_data special_entr "
    "special_erfcx special_i1 special_log_ndtr special_ndtri special_xlog1py sqrt to_copy "
    "triangular_solve trilinear var var_mean vdot xlogy "
).split()
"""Finite values went in, and what came out was not finite."""

BACKWARD = (
    "acos acosh addcdiv asin binary_cross_entropy ctc_loss digamma div gelu group_norm hypot "
    "linalg_cholesky_ex linalg_eig linalg_eigh linalg_householder_product linalg_inv_ex linalg_lstsq "
    "linalg_lu linalg_lu_factor_ex linalg_lu_solve linalg_pinv linalg_qr linalg_solve_ex "
    "linalg_solve_triangular linalg_svd linalg_vector_norm log mul ormqr polygamma pow reciprocal "
    "rsqrt special_entr sqrt to_copy triangular_solve xlogy "
).split()
"""A finite gradient went in, and the one that came out was not finite."""

REASONS = {
    "softmax_backward_data": "it runs backward, where its softmax is named",
    "linear_cross_entropy_batch_chunked": "it has no stable name yet",
    "linear_cross_entropy_batch_chunked_no_reduction": "it has no stable name yet",
    "scalar_tensor": "it holds a constant that torch writes: a fill",
    "empty_like": "it holds whatever the memory held: nothing reads it",
}
"""Why one has no row."""
