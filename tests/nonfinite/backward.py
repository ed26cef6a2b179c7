"""Finite losses whose gradient is not, as people report them in issues and forums."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.nonfinite.case import Scale, case, counts


@case("sqrt", "sqrt-zero", backward=True, model=Scale, data=counts)
def sqrt_of_a_rectified_value(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    return torch.sqrt(y).mean()  # HERE


@case("sqrt", "sqrt-zero", backward=True)
def pairwise_distance_with_a_diagonal(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    square = (y[:, None] - y[None]).square().sum(-1)
    distance = square.sqrt()  # HERE
    return distance.mean()


@case("pow", "pow-domain sqrt-zero", backward=True)
def distance_to_itself_as_a_power(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    distance = (y[:, None] - y[None]).square().sum(-1) ** 0.5  # HERE
    return distance.mean()


@case("rsqrt", "sqrt-zero", backward=True)
def rsqrt_near_zero(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x) * 0 + 1e-30
    scale = y.rsqrt()  # HERE
    return scale.mean()


@case("sqrt", "sqrt-zero", backward=True)
def std_of_a_constant_by_hand(m: nn.Module, x: Tensor) -> Tensor:
    y = m(torch.ones_like(x))
    spread = y.var(0).sqrt()  # HERE
    return spread.mean()


@case("sqrt", "sqrt-zero where-trap", backward=True, reaches=False)
def sqrt_of_a_rectified_layer(m: nn.Module, x: Tensor) -> Tensor:
    y = F.relu(m(x))
    return torch.sqrt(y).mean()  # HERE


@case("log", "log-zero where-trap", backward=True, reaches=False)
def log_of_a_clamped_layer(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x).clamp(0, 1)
    logs = torch.log(y)  # HERE
    return torch.where(y > 0, logs, 0.0).mean()


@case("pow", "pow-domain sqrt-zero", backward=True, model=Scale, data=counts)
def power_below_one_at_zero(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    return y.pow(0.3).mean()  # HERE


@case("pow", "pow-domain sqrt-zero", backward=True, model=Scale, data=counts)
def generalised_mean_pooling(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x * (torch.arange(8)[:, None] > 2))
    pooled = y.pow(3).mean(-1)
    return pooled.pow(1 / 3).mean()  # HERE


@case("log", "where-trap log-zero", backward=True, model=Scale, data=counts)
def log_behind_where(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    logs = torch.log(y)  # HERE
    return torch.where(y > 0, logs, torch.zeros_like(y)).mean()


@case("sqrt", "where-trap sqrt-zero", backward=True, model=Scale, data=counts)
def sqrt_behind_where(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    root = y.sqrt()  # HERE
    return torch.where(y > 0, root, 0.0).mean()


@case("div", "where-trap zero-div-zero", backward=True, model=Scale, data=counts)
def division_behind_where(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    inverse = x.abs() / y  # HERE
    return torch.where(y > 0, inverse.clamp(max=5), torch.zeros_like(y)).mean()


@case("exp mul", "where-trap exp-overflow zero-times-inf", backward=True)
def exp_behind_where(m: nn.Module, x: Tensor) -> Tensor:
    y = 1000 * m(x)
    grown = y.exp()  # HERE
    return torch.where(y > 10, y, grown).mean()


@case("log", "where-trap log-zero", backward=True, model=Scale, data=counts)
def log_zeroed_by_masked_fill(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    logs = y.log()  # HERE
    return logs.masked_fill(y == 0, 0.0).mean()


@case("log", "where-trap log-zero", backward=True, model=Scale, data=counts)
def log_mended_by_nan_to_num(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    logs = torch.log(y)  # HERE
    return torch.nan_to_num(logs, neginf=0.0).mean()


@case("log", "where-trap log-zero", backward=True)
def log_clamped_too_late(m: nn.Module, x: Tensor) -> Tensor:
    p = torch.softmax(1e4 * m(x), -1)
    logs = p.log()  # HERE
    return -logs.clamp(min=-100).mean()


@case("acos", "acos-boundary", backward=True)
def angle_to_itself(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    cosine = (y / y.detach()).clamp(-1, 1)
    return torch.acos(cosine).mean()  # HERE


@case("asin", "acos-boundary", backward=True)
def arcsine_of_a_clamped_value(m: nn.Module, x: Tensor) -> Tensor:
    y = torch.sin(m(x) * 0 + math.pi / 2)
    return y.asin().mean()  # HERE


@case("logsumexp", "logsumexp-neginf", backward=True)
def logsumexp_of_nothing(m: nn.Module, x: Tensor) -> Tensor:
    hidden = torch.where(torch.arange(8)[:, None] == 7, -math.inf, 0.0)
    y = m(x) + hidden
    pooled = torch.logsumexp(y, -1)  # HERE
    return pooled[:7].mean()


@case("softmax", "masked-softmax-row where-trap", backward=True)
def masked_row_mended_afterwards(m: nn.Module, x: Tensor) -> Tensor:
    scores = m(x) + torch.where(torch.arange(8)[:, None] == 2, -math.inf, 0.0)
    p = torch.softmax(scores, -1)  # HERE
    return (torch.nan_to_num(p) * x).mean()


@case("linalg_eigh", "degenerate-eigenvalues", backward=True)
def eigenvectors_of_the_identity(m: nn.Module, x: Tensor) -> Tensor:
    a = m.weight * 0 + torch.eye(4)
    _, vectors = torch.linalg.eigh(a)  # HERE
    return vectors[0, 1] + vectors.sum()


@case("linalg_svd", "degenerate-eigenvalues", backward=True)
def singular_vectors_of_the_identity(m: nn.Module, x: Tensor) -> Tensor:
    a = m.weight * 0 + torch.eye(4)
    u, _, _ = torch.linalg.svd(a)  # HERE
    return u.sum()


@case("hypot", "sqrt-zero", backward=True, model=Scale, data=lambda: torch.zeros(8, 4))
def speed_of_no_motion(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    return torch.hypot(y[:, 0], y[:, 1]).mean()  # HERE


@case("div", "zero-div-zero small-denominator", backward=True)
def tiny_denominator(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    share = y / (y.detach() * 0 + y * 0 + 1e-25)  # HERE
    return (share * 1e-25).mean()


@case("xlogy", "log-zero", backward=True, model=Scale, data=counts)
def xlogy_at_zero_in_both(m: nn.Module, x: Tensor) -> Tensor:
    p = m(x)
    return torch.xlogy(p, p).mean()  # HERE


class Inverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp_min(0)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad / x.clamp_min(0)


@case("Inverse", "custom-backward", backward=True)
def custom_backward_that_divides(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    return Inverse.apply(y).mean()  # HERE


@case("exp", "exp-overflow zero-times-inf", backward=True)
def sigmoid_by_hand(m: nn.Module, x: Tensor) -> Tensor:
    e = torch.exp(-1000 * m(x))  # HERE
    p = 1 / (1 + e)
    return (p - 0.5).square().mean()
