"""The kinds of factor that a gradient's account is drawn up in."""

from __future__ import annotations

KINDS = ("activation", "weight", "normalization", "attention", "loss", "reduction", "merge", "other")
"""In the order of the ledger's rows; a kind's place is its colour in every chart."""
_KIND_BY_PREFIX = (
    ("activation", "Sigmoid Tanh Relu Threshold Gelu Silu Mish Elu LeakyRelu Softplus Hardtanh Hardsigmoid "
                   "Hardswish LogSigmoid PreluKernel Glu Rrelu Celu Hardshrink Softshrink"),
    ("loss", "NllLoss LogSoftmax MseLoss BinaryCrossEntropy SmoothL1Loss HuberLoss KlDiv CtcLoss SoftMargin "
             "MultiMargin MultilabelMargin"),
    ("normalization", "NativeBatchNorm NativeLayerNorm NativeGroupNorm CudnnBatchNorm MiopenBatchNorm "
                      "FusedRmsNorm RmsNorm LinalgVectorNorm Rsqrt Renorm WeightNormInterface Std Var"),
    ("attention", "Softmax Bmm Baddbmm ScaledDotProduct"),
    ("weight", "Addmm Mm Convolution Embedding Addmv Mv Mkldnn ThnnConv SlowConv Addbmm"),
    ("reduction", "Mean Sum AvgPool AdaptiveAvgPool MaxPool AdaptiveMaxPool Max Min Amax Amin Expand Logsumexp "
                  "Cumsum Prod"),
)  # fmt: skip
_BY_LENGTH = sorted(
    ((prefix, kind) for kind, names in _KIND_BY_PREFIX for prefix in names.split()), key=lambda p: -len(p[0])
)


def kind_of(name: str) -> str:
    """The kind of factor that an op contributes, by the name of its node."""
    return next((kind for prefix, kind in _BY_LENGTH if name.startswith(prefix)), "other")
