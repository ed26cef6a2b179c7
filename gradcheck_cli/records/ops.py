"""The one vocabulary of autograd ops and torch functions; a name is matched whole, never by how it starts.

An op of the graph is known by its *stem*, `Sigmoid` of `SigmoidBackward0`; a torch function, or an op of the
dispatcher, by its plain name, `log_softmax` of `_log_softmax`. Stems are those of torch's derivatives
(torch/csrc/autograd/generated/Functions.h); a test holds every word here against the torch that is installed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

LEAF = "AccumulateGrad"
"""The node of a leaf tensor."""


@cache
def stem(node: str) -> str:
    """The stem of a node's name: `Sigmoid` of `SigmoidBackward0`; "" for a custom Function, which is no op of torch's.

    The node of a double backward, such as `SigmoidBackwardBackward0`, counts as its op.
    """
    return "" if is_custom(node) else node.partition("Backward")[0]


def is_custom(node: str) -> bool:
    """Whether a node belongs to a custom autograd Function: torch's own end in a number."""
    return node.endswith("Backward")


@cache
def plain_op(name: str) -> str:
    """An op as the user knows it: `ReluBackward0` is relu, `NllLoss2DBackward0` nll_loss2d.

    `_log_softmax` is log_softmax. The name of a custom autograd Function, whose node has no number, stays as it is.
    """
    before, backward, number = name.partition("Backward")
    if backward and not number:
        return before
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[0-9])(?=[A-Z][a-z])|(?<=[0-9]D)(?=[A-Z])", "_", before).lower()
    plain = snake.strip("_").removeprefix("native_").removesuffix("_forward")
    return _AS_DISPATCHED.get(plain, plain)


_AS_DISPATCHED = {
    "grid_sampler2d": "grid_sampler_2d",
    "grid_sampler3d": "grid_sampler_3d",
    "grid_sampler2d_cpu_fallback": "grid_sampler_2d_cpu_fallback",
    "special_xlog1_py": "special_xlog1py",
    "im2_col": "im2col",
    "col2_im": "col2im",
    "deg2_rad": "deg2rad",
    "rad2_deg": "rad2deg",
}
"""Ops whose node's name does not say where their words end."""


def _set(*words: str) -> frozenset[str]:
    return frozenset(word for line in words for word in line.split())


# ---------------------------------------------------------------- stems: what an op does to values

TRANSPOSES = _set("T Transpose Permute")
VIEWS = TRANSPOSES | _set("View UnsafeView ReshapeAlias Squeeze Unsqueeze Clone Alias")
"""The same elements in another shape or order: the gradient keeps its norm."""
PARTS = _set("Select Slice")
"""A part of what went in, the rest of whose gradient is 0: the norm stays too."""
SAME_VALUES = VIEWS | _set("ToCopy Expand")
"""What comes out is what went in, in another shape, dtype or number of copies."""
VIEW_LIKE = SAME_VALUES | PARTS
SUMS = _set("Add Sub")
"""What hands a gradient on unchanged, where nothing is broadcast and `alpha` is 1."""
SPLITS = _set("Split SplitWithSizes UnsafeSplit UnsafeSplitWithSizes")
PIECES = PARTS | SPLITS | _set("Index UnsafeIndex IndexSelect Gather Unbind Chunk NarrowCopy")
"""What reads a piece of a sequence."""
JOINS = PIECES | _set("Cat Stack")
"""What makes a sequence of pieces, or reads one of them."""

# ---------------------------------------------------------------- stems: activations

SIGMOIDS = _set("Sigmoid Hardsigmoid")
SQUASHING = SIGMOIDS | _set("Tanh Hardtanh")
"""Flat on both sides."""
CLAMPS = _set("Clamp ClampMin ClampMax")
BOUNDED = SQUASHING | CLAMPS | _set("LogSigmoid")
"""Functions whose slope is at most 1 and next to 0 far out."""
RECTIFIERS = CLAMPS | _set("Relu Threshold LeakyRelu Hardtanh Hardswish Hardsigmoid Elu PreluKernel")
"""Functions with a side on which the slope is exactly 0, or that are made of such pieces."""
EXPONENTIALS = _set("Exp Exp2 Expm1")
"""Functions whose slope is what they put out, and next to 0 far below 0."""
DISTANCES = _set("Pow Cdist EuclideanDist LinalgVectorNorm Norm Abs")
"""What a kernel takes of differences; flat, or next to it, where these are 0."""
STEP_FUNCTIONS = _set("Round Sign Sgn Floor Ceil Trunc")
"""Flat between their jumps: the slope is 0 wherever there is one."""
SOFTMAXES = _set("Softmax SafeSoftmax MaskedSoftmax")
EXPONENTIALS = _set("Exp Exp2 Expm1")
SATURATING = SOFTMAXES | _set("Sigmoid Tanh LogSoftmax Gelu Silu Softplus Mish Erf Erfc") | EXPONENTIALS
"""Functions whose slope underflows to exactly 0 far out."""

# ---------------------------------------------------------------- stems: arithmetic

PRODUCTS = _set("Mul")
DIVISIONS = _set("Div Reciprocal")
SCALINGS = _set("Mul Div Add Sub Addcmul Addcdiv")
"""What can hold a constant factor; additions have an `alpha`."""
MATRIX_PRODUCTS = _set("Mm Bmm Baddbmm Addmm Addbmm Addmv Mv Convolution ConvolutionOverrideable")
SUMMING = _set(
    "Mm Bmm SparseAddmm SparseMmReduceImpl Sum",
    "IndexAdd ScatterAdd ScatterReduce IndexSelect Index UnsafeIndex Gather",
)
"""What sums over elements, forward or, as a gather does, on the way back."""
AGGREGATIONS = _set("SparseAddmm SparseMmReduceImpl IndexAdd ScatterAdd ScatterReduce SegmentReduce")
"""Sums or means over the neighbours in a graph."""
ATTENTION_PRODUCTS = SOFTMAXES | _set(
    "ScaledDotProductCudnnAttention ScaledDotProductEfficientAttention ScaledDotProductFlashAttention",
    "ScaledDotProductFlashAttentionForCpu ScaledDotProductFusedAttentionOverrideable",
)
"""What weighs positions against each other, one for each attention."""
NORMALIZATIONS = _set(
    "NativeBatchNorm NativeBatchNormLegit NativeBatchNormLegitNoTraining BatchNormWithUpdate BatchNormNoUpdate",
    "CudnnBatchNorm MiopenBatchNorm NativeLayerNorm NativeGroupNorm FusedRmsNorm",
)
"""Normalisations with a weight, then a bias, among their inputs."""
MEANS_AND_SUMS = _set("Mean Sum")
CHANNELED = NORMALIZATIONS - _set("NativeLayerNorm FusedRmsNorm") | _set(
    "Convolution ConvolutionOverrideable MaxPool2D MaxPool2DWithIndices MaxPool3DWithIndices AvgPool2D AvgPool3D"
)
"""What puts out channels in dimension 1."""

# ---------------------------------------------------------------- the kinds of factor of an account

KINDS = ("activation", "weight", "normalization", "attention", "loss", "reduction", "merge", "other")
"""In the order of the ledger's rows; a kind's place is its colour in every chart."""
_STEMS_BY_KIND = {
    "activation": SQUASHING
    | _set(
        "LogSigmoid Relu Threshold LeakyRelu Elu Celu PreluKernel RreluWithNoise RreluWithNoiseFunctional",
        "Gelu Silu Mish Softplus Hardswish Glu Hardshrink Softshrink",
    ),
    "loss": _set(
        "NllLoss NllLoss2D LogSoftmax MseLoss BinaryCrossEntropy BinaryCrossEntropyWithLogits SmoothL1Loss HuberLoss",
        "CtcLoss CudnnCtcLoss MiopenCtcLoss SoftMarginLoss MultiMarginLoss MultilabelMarginLoss",
    ),
    "normalization": NORMALIZATIONS | _set("LinalgVectorNorm Rsqrt Renorm WeightNormInterface Std StdMean Var VarMean"),
    "attention": SOFTMAXES
    | _set(
        "Bmm Baddbmm ScaledDotProductCudnnAttention ScaledDotProductEfficientAttention ScaledDotProductFlashAttention",
        "ScaledDotProductFlashAttentionForCpu ScaledDotProductFusedAttentionOverrideable",
    ),
    "weight": _set(
        "Addmm Mm Addbmm Addmv Mv Linear Convolution ConvolutionOverrideable CudnnConvolution MiopenConvolution",
        "CudnnConvolutionTranspose MiopenConvolutionTranspose MkldnnConvolution MkldnnLinear MkldnnRnnLayer",
        "CudnnRnn MiopenRnn SlowConv2D SlowConv3D SlowConvDilated2D SlowConvDilated3D SlowConvTranspose2D",
        "SlowConvTranspose3D ConvTbc Embedding EmbeddingBag",
    ),
    "reduction": _set(
        "Mean Sum Nansum Max Min Amax Amin Prod Logsumexp Cumsum Expand AvgPool2D AvgPool3D AdaptiveAvgPool2D",
        "AdaptiveAvgPool3D MaxPool2D MaxPool2DWithIndices MaxPool3DWithIndices AdaptiveMaxPool2D AdaptiveMaxPool3D",
        "FractionalMaxPool2D FractionalMaxPool3D MkldnnAdaptiveAvgPool2D MkldnnMaxPool2D MkldnnMaxPool3D",
    ),
}
_KIND_BY_STEM: Mapping[str, str] = {each: kind for kind, stems in _STEMS_BY_KIND.items() for each in stems}


def kind_of(node: str) -> str:
    """The kind of factor that an op contributes, by the name of its node."""
    return _KIND_BY_STEM.get(stem(node), "other")


# ---------------------------------------------------------------- plain names: values that are not finite

LOGARITHMS = _set("log log2 log10 log1p logit")
CHOOSERS = _set("where masked_fill masked_select masked_scatter index index_select index_put unsafe_index")
"""What picks among values that were made before."""
WRITERS = _set("masked_fill where masked_scatter fill full full_like new_full")
"""What writes what it is told to: to blame where the Inf that it wrote has reached the loss, and only there."""
UNSET = _set("empty empty_like new_empty empty_strided new_empty_strided empty_permuted")
"""What returns memory that was never written to."""
FILLS = WRITERS | UNSET | _set("scalar_tensor lift_fresh to_copy detach copy zero triu tril")
"""What writes or hands on a constant, as an attention mask's -inf: no arithmetic goes wrong in it."""
ADDITIVE = _set("add sub addmm addbmm addmv addr addcmul addcdiv mul mm bmm")
"""Products and sums: they make NaN of an Inf that is multiplied by 0 or taken from another."""
ELEMENTWISE_ARITHMETIC = _set("add sub mul div")
DECOMPOSITIONS = _set(
    "linalg_eig linalg_eigh linalg_svd linalg_inv_ex linalg_solve_ex linalg_solve_triangular linalg_cholesky_ex",
    "linalg_det linalg_slogdet linalg_lu linalg_lu_factor_ex linalg_lu_solve linalg_pinv linalg_qr linalg_lstsq",
    "linalg_matrix_exp linalg_householder_product triangular_solve cholesky_solve cholesky_inverse ormqr",
)
"""Solvers and factorisations of matrices."""
ATTENTIONS = _set(
    "scaled_dot_product_attention scaled_dot_product_attention_math scaled_dot_product_flash_attention",
    "scaled_dot_product_flash_attention_for_cpu scaled_dot_product_efficient_attention",
    "scaled_dot_product_cudnn_attention scaled_dot_product_fused_attention_overrideable",
)
LENGTHS = _set("norm linalg_vector_norm dist cdist pdist renorm hypot abs angle sgn weight_norm_interface")
"""Roots of sums of squares, and what divides by one."""
SPREADS = _set("std std_mean var var_mean")

# ---------------------------------------------------------------- plain names: values that leave the graph

CHOICES = _set(
    "argmax argmin gt lt ge le eq ne __gt_ __lt_ __ge_ __le_ bool long int bucketize searchsorted one_hot heaviside",
    "multinomial bernoulli topk sort max min median kthvalue mode",
)
"""What has no derivative; a dunder is written as the tracer writes it."""
SHAPE_ONLY_CALLS = _set(
    "zeros_like ones_like empty_like full_like rand_like randn_like randint_like new_zeros new_ones new_empty new_full",
    "new_tensor new_empty_strided requires_grad_ result_type broadcast_tensors is_floating_point",
)
"""What reads the shape, the dtype or the device of what it is given, and none of its values."""
TARGETED_CALLS = _set("cross_entropy kl_div binary_cross_entropy binary_cross_entropy_with_logits")
"""Losses whose name does not end in `_loss`: what they compare with is a target."""
SHAPED_CALLS = _set("type_as expand_as view_as reshape_as to")
"""What reads the values of its first argument only."""
LEAVING = _set("item tolist numpy __array_")
"""What returns no tensor, so that it cannot be followed further."""
CHOOSING = _set("topk sort max min median kthvalue mode aminmax unique")
"""What hands on a gradient through the values, and none through the indexes."""

# ---------------------------------------------------------------- functions that a trial can act on

SIGMOID_CALLS = _set("sigmoid sigmoid_")
SQUASHING_CALLS = _set("sigmoid sigmoid_ tanh tanh_ hardtanh hardsigmoid softsign logsigmoid")
RELU_CALLS = _set("relu relu_ threshold _threshold clamp_min")
RECTIFYING_CALLS = RELU_CALLS | _set("relu6 hardswish clamp")
SMOOTH_CALLS = _set("leaky_relu rrelu elu celu selu gelu silu mish softplus")
ACTIVATION_CALLS = SQUASHING_CALLS | RECTIFYING_CALLS | SMOOTH_CALLS
CLAMPING_CALLS = _set("clamp clip")
CONVOLUTION_CALLS = _set("conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d")
MATMUL_CALLS = _set("matmul __matmul__ mm")
WEIGHTED_CALLS = CONVOLUTION_CALLS | MATMUL_CALLS | _set("linear")
PRODUCT_CALLS = WEIGHTED_CALLS | _set("addmm addbmm addmv baddbmm bmm mv einsum multi_head_attention_forward")
"""Products of a matrix, any of which may be by a weight."""
SCATTER_CALLS = _set("index_add index_add_ scatter_add scatter_add_")
SUM_CALLS = MATMUL_CALLS | SCATTER_CALLS | _set("sum einsum bmm scatter_reduce")
ADDITION_CALLS = _set("add add_ __add__ __iadd__ __radd__")
MULTIPLICATION_CALLS = _set("mul mul_ __mul__ __rmul__")
FACTOR_CALLS = MULTIPLICATION_CALLS | _set("div __truediv__ add add_")
NORM_CALLS = _set("layer_norm batch_norm instance_norm group_norm rms_norm normalize")
SOFTMAX_CALLS = _set("softmax log_softmax")
EXPONENTIAL_CALLS = _set("exp exp_ exp2 expm1")

# ---------------------------------------------------------------- functions that compare an output with a target

DISTANCE_CALLS = _set("mse_loss l1_loss smooth_l1_loss huber_loss")
"""Losses that broadcast what they compare."""
LOGARITHM_CALLS = _set("nll_loss kl_div ctc_loss")
"""Losses that take the logarithms of probabilities."""
PROBABILITY_CALLS = _set("binary_cross_entropy binary_cross_entropy_with_logits")
"""Losses whose targets are probabilities."""
CLASS_CALLS = _set("cross_entropy nll_loss")
"""Losses whose targets are the numbers of classes."""
LOSS_CALLS = DISTANCE_CALLS | LOGARITHM_CALLS | PROBABILITY_CALLS | CLASS_CALLS
DIFFERENCE_CALLS = _set("sub __sub__ __rsub__ rsub subtract")
WEIGHING_CALLS = _set("mul __mul__ __rmul__ multiply")
SUBTRACTING_CALLS = _set("sub sub_ subtract")
JOINING_CALLS = SUBTRACTING_CALLS | _set("add add_ stack")
"""What makes a loss of its terms; `1 - x` is one."""
COMPARING_CALLS = LOSS_CALLS | DIFFERENCE_CALLS | WEIGHING_CALLS
MEAN_CALLS = _set("mean sum")
VIEWING_CALLS = _set("view reshape flatten squeeze unsqueeze ravel contiguous float double to")
ELEMENTWISE_CALLS = (
    DIFFERENCE_CALLS
    | WEIGHING_CALLS
    | CLAMPING_CALLS
    | _set("clamp_min clamp_max relu")
    | _set("pow __pow__ square abs neg __neg__ sqrt add __add__ __radd__ div __truediv__ where cosh log log1p")
)
"""What makes a loss of a difference, element by element; an exp makes a kernel of it."""
