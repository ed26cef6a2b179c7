"""Losses that are not finite, as people report them in issues and forums."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.nonfinite.case import case

BIG = 1e4


@case("log", "log-zero")
def log_of_a_softmax_that_underflowed(m: nn.Module, x: Tensor) -> Tensor:
    p = torch.softmax(BIG * m(x), -1)
    logs = torch.log(p)  # HERE
    return -logs.mean()


@case("log", "log-zero")
def binary_cross_entropy_by_hand(m: nn.Module, x: Tensor) -> Tensor:
    p = torch.sigmoid(BIG * m(x))
    t = (x > 0).float()
    return -(t * torch.log(p) + (1 - t) * p).mean()  # HERE


@case("log", "log-negative")
def log_of_a_prediction(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    error = torch.log(y) - 1  # HERE
    return error.square().mean()


@case("log1p", "log-negative")
def log1p_below_minus_one(m: nn.Module, x: Tensor) -> Tensor:
    y = 10 * m(x)
    return torch.log1p(y).mean()  # HERE


@case("log2", "log-zero")
def entropy_in_bits(m: nn.Module, x: Tensor) -> Tensor:
    p = F.relu(m(x))
    p = p / p.sum(-1, keepdim=True).clamp_min(1e-6)
    bits = p * p.log2()  # HERE
    return -bits.sum()


@case("sqrt", "log-negative")
def sqrt_of_a_variance_that_cancelled(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    variance = (y**2).mean() - (y.abs() + 1).mean() ** 2
    return torch.sqrt(variance)  # HERE


@case("rsqrt", "zero-div-zero")
def rsqrt_of_a_constant(m: nn.Module, x: Tensor) -> Tensor:
    y = m(torch.zeros_like(x))
    centred = y - y.mean(0)
    scale = centred.var(0, unbiased=False).rsqrt()  # HERE
    return (y * scale).mean()


@case("div", "zero-div-zero")
def normalised_by_an_empty_sum(m: nn.Module, x: Tensor) -> Tensor:
    y = F.relu(m(x) - 100)
    share = y / y.sum(-1, keepdim=True)  # HERE
    return share.mean()


@case("div", "zero-div-zero")
def masked_mean_of_nothing(m: nn.Module, x: Tensor) -> Tensor:
    losses, mask = m(x).square().mean(-1), torch.zeros(8)
    return (losses * mask).sum() / mask.sum()  # HERE


@case("div", "zero-div-zero")
def standardised_constant_column(m: nn.Module, x: Tensor) -> Tensor:
    x = torch.cat([x[:, :3], torch.ones(8, 1)], 1)
    x = (x - x.mean(0)) / x.std(0)  # HERE
    return m(x).square().mean()


@case("div", "zero-div-zero")
def dice_of_empty_masks(m: nn.Module, x: Tensor) -> Tensor:
    p, t = F.relu(m(x) - 100), torch.zeros(8, 4)
    overlap = 2 * (p * t).sum()
    dice = overlap / (p.sum() + t.sum())  # HERE
    return 1 - dice


@case("reciprocal", "zero-div-zero")
def reciprocal_of_a_distance(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    distance = (y - y.detach()).abs()
    weight = distance.reciprocal()  # HERE
    return weight.mean()


@case("div", "zero-div-zero")
def scaled_by_the_largest_target(m: nn.Module, x: Tensor) -> Tensor:
    target = torch.zeros(8, 4)
    target = target / target.max()  # HERE
    return F.mse_loss(m(x), target)


@case("exp", "exp-overflow")
def exponential_rate(m: nn.Module, x: Tensor) -> Tensor:
    rate = torch.exp(BIG * m(x))  # HERE
    return (rate - m(x)).mean()


@case("exp", "exp-overflow")
def softmax_by_hand(m: nn.Module, x: Tensor) -> Tensor:
    e = (BIG * m(x)).exp()  # HERE
    return -(e / e.sum(-1, keepdim=True)).mean()


@case("exp", "exp-overflow")
def kl_of_a_wild_variance(m: nn.Module, x: Tensor) -> Tensor:
    mean, log_variance = (1000 * m(x)).chunk(2, -1)
    return -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).mean()  # HERE


@case("exp", "exp-overflow")
def policy_ratio(m: nn.Module, x: Tensor) -> Tensor:
    new, old = m(x).log_softmax(-1), torch.full((8, 4), -200.0)
    ratio = (new - old).exp()  # HERE
    return -ratio.mean()


@case("expm1", "exp-overflow")
def expm1_overflow(m: nn.Module, x: Tensor) -> Tensor:
    return torch.expm1(BIG * m(x)).mean()  # HERE


@case("cosh", "exp-overflow")
def log_cosh(m: nn.Module, x: Tensor) -> Tensor:
    c = torch.cosh(BIG * m(x))  # HERE
    return c.log().mean()


@case("pow", "exp-overflow")
def high_power(m: nn.Module, x: Tensor) -> Tensor:
    return (BIG * m(x)).pow(12).mean()  # HERE


@case("pow", "pow-domain")
def fractional_power_of_a_negative(m: nn.Module, x: Tensor) -> Tensor:
    return (m(x) ** 1.5).mean()  # HERE


@case("pow", "pow-domain zero-div-zero")
def negative_power_of_zero(m: nn.Module, x: Tensor) -> Tensor:
    degree = torch.tensor([0.0, 1, 2, 3])
    scale = degree.pow(-0.5)  # HERE
    return (m(x) * scale).mean()


@case("softmax", "masked-softmax-row")
def attention_row_without_a_key(m: nn.Module, x: Tensor) -> Tensor:
    q = m(x)
    scores = (q @ q.T).masked_fill(torch.ones(8, 8, dtype=torch.bool).triu(0), -math.inf)
    return (scores.softmax(-1) @ q).mean()  # HERE


@case("softmax scaled_dot_product", "masked-softmax-row")
def fused_attention_without_a_key(m: nn.Module, x: Tensor) -> Tensor:
    q = m(x)[None, None]
    mask = torch.full((8, 8), -math.inf).triu(0)
    scores = q @ q.transpose(-1, -2) + mask
    out = F.softmax(scores, -1) @ q  # HERE
    return out.mean()


@case("log_softmax", "masked-softmax-row")
def all_actions_masked(m: nn.Module, x: Tensor) -> Tensor:
    legal = torch.ones(8, 4, dtype=torch.bool)
    legal[3] = False
    logits = m(x).masked_fill(~legal, -math.inf)
    logs = F.log_softmax(logits, -1)  # HERE
    return -logs[:, 0].mean()


@case("nll_loss", "masked-loss")
def every_label_ignored(m: nn.Module, x: Tensor) -> Tensor:
    labels = torch.full((8,), -100)
    return F.cross_entropy(m(x), labels)  # HERE


@case("nll_loss", "masked-loss")
def every_class_weight_zero(m: nn.Module, x: Tensor) -> Tensor:
    logs = m(x).log_softmax(-1)
    return F.nll_loss(logs, torch.zeros(8, dtype=torch.long), torch.tensor([0.0, 1, 1, 1]))  # HERE


@case("mean", "empty-reduction")
def mean_of_no_positives(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    positive = y[y > 1000]
    return positive.mean()  # HERE


@case("mse_loss", "empty-reduction")
def loss_of_no_boxes(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)[:0]
    return F.mse_loss(y, torch.zeros(0, 4))  # HERE


@case("smooth_l1_loss", "empty-reduction")
def smooth_l1_of_no_boxes(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)[torch.zeros(8, dtype=torch.bool)]
    return F.smooth_l1_loss(y, y.detach())  # HERE


@case("var", "zero-variance")
def variance_of_one(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x[:1])
    return y.var(0).mean()  # HERE


@case("std", "zero-variance")
def advantages_of_one_step(m: nn.Module, x: Tensor) -> Tensor:
    advantage = m(x[:1])[:, 0]
    spread = advantage.std()  # HERE
    return ((advantage - advantage.mean()) / (spread + 1e-8)).mean()


@case("acos", "acos-boundary")
def angle_of_a_rounded_cosine(m: nn.Module, x: Tensor) -> Tensor:
    y = F.normalize(m(x), dim=-1)
    cosine = (y * y).sum(-1) * 1.001
    return torch.acos(cosine).mean()  # HERE


@case("asin", "acos-boundary")
def pitch_of_a_quaternion(m: nn.Module, x: Tensor) -> Tensor:
    w, a, b, c = m(10 * x).unbind(-1)
    return torch.asin(2 * (w * b - c * a)).mean()  # HERE


@case("atanh", "acos-boundary")
def inverse_of_a_squashed_action(m: nn.Module, x: Tensor) -> Tensor:
    action = torch.tanh(BIG * m(x))
    raw = torch.atanh(action)  # HERE
    return raw.mean()


@case("logit", "log-zero")
def logit_of_certainty(m: nn.Module, x: Tensor) -> Tensor:
    p = torch.sigmoid(BIG * m(x))
    return torch.logit(p).mean()  # HERE


@case("mul", "zero-times-inf")
def zero_times_a_mask_of_infinity(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x)
    bias = torch.full((8, 4), -math.inf).triu(1)
    masked = y * 0 * bias  # HERE
    return masked.sum()


@case("ctc_loss", "ctc-infeasible")
def target_longer_than_input(m: nn.Module, x: Tensor) -> Tensor:
    logs = m(x).log_softmax(-1)[:, None]
    n_in, n_out = torch.tensor([8]), torch.tensor([7])
    return F.ctc_loss(logs, torch.ones(1, 7, dtype=torch.long), n_in, n_out)  # HERE


@case("masked_fill", "inf-in-loss")
def kl_to_a_masked_distribution(m: nn.Module, x: Tensor) -> Tensor:
    q = m(x).masked_fill(torch.tensor([True, False, False, False]), -math.inf)  # HERE
    p = torch.full((8, 4), 0.25)
    return F.kl_div(q.log_softmax(-1), p, reduction="batchmean")


@case("masked_fill", "inf-in-loss")
def label_of_a_masked_class(m: nn.Module, x: Tensor) -> Tensor:
    logits = m(x).masked_fill(torch.tensor([True, False, False, False]), -math.inf)  # HERE
    return F.cross_entropy(logits, torch.zeros(8, dtype=torch.long))


@case("mm addmm linear matmul", "fp16-overflow", model=lambda: nn.Linear(4, 4).half())
def half_precision_product(m: nn.Module, x: Tensor) -> Tensor:
    h = 1e3 * x.half().abs()
    w = h @ h.T  # HERE
    return m(w[:, :4]).float().mean()


@case("mul", "fp16-overflow", model=lambda: nn.Linear(4, 4).half())
def half_precision_scale(m: nn.Module, x: Tensor) -> Tensor:
    y = m(x.half())
    y = y * 60000 * 60000  # HERE
    return y.float().mean()


@case("log", "log-zero")
def log_of_a_histogram(m: nn.Module, x: Tensor) -> Tensor:
    p = torch.zeros(4).index_add(0, torch.tensor([0, 1, 1]), torch.ones(3))
    prior = p.log()  # HERE
    return (m(x) + prior).softmax(-1).mean() + prior.mean()


@case("lgamma", "log-zero")
def gamma_of_zero_concentration(m: nn.Module, x: Tensor) -> Tensor:
    concentration = F.relu(m(x))
    return torch.lgamma(concentration).mean()  # HERE


@case("cumprod prod", "exp-overflow")
def running_product(m: nn.Module, x: Tensor) -> Tensor:
    gains = (BIG * m(x)).repeat(1, 10)
    return gains.cumprod(-1).mean()  # HERE
