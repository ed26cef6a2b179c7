"""Remedies for precision, unsafe ops, cut graphs and bad data."""

from __future__ import annotations

from gradcheck_cli.remedies.entry import remedy

REMEDIES = (
    # ---------------------------------------------------------------- precision
    remedy(
        "bf16",
        "bfloat16 in place of float16",
        "It has float32's range, so it neither overflows at 65504 nor underflows; needs hardware that has "
        "it, and has fewer digits.",
        'torch.autocast("cuda", dtype=torch.bfloat16)',
    ),
    remedy(
        "fp32",
        "do this op in float32",
        "Norms, softmax, losses and long sums need the range; leave autocast for those lines only.",
        'with torch.autocast("cuda", enabled=False): y = op(x.float())',
    ),
    # ---------------------------------------------------------------- numerics
    remedy(
        "eps",
        "add a small eps inside",
        "Keeps log, sqrt and division away from the point where the value or the slope is infinite; put it "
        "under the root, since after the root it does not help the gradient.",
        "torch.log(x + 1e-8)  # or torch.sqrt(x + 1e-8), y / (x + 1e-8)",
    ),
    remedy(
        "clamp",
        "clamp the argument to the op's domain",
        "Cuts off the few values where the op has no finite slope; clamped elements get no gradient, so do "
        "not use it where most elements lie outside.",
        "x.clamp(min=1e-8)  # log, division, sqrt; for acos and asin: x.clamp(-1 + 1e-6, 1 - 1e-6)",
    ),
    remedy(
        "double-where",
        "make the input safe before the op, then choose",
        "torch.where sends 0 x inf = NaN back through the branch that it did not choose; the op itself "
        "must never see the bad value.",
        "safe = torch.where(ok, x, 1.0); y = torch.where(ok, f(safe), 0.0)",
    ),
    remedy(
        "mask-fix",
        "leave no row without an unmasked entry",
        "A softmax over a row of -inf alone is 0/0; let empty rows attend to one position and drop their "
        "output, or mask with a large finite number. Check that the mask is not inverted.",
        "mask = mask | ~mask.any(-1, keepdim=True)",
    ),
    remedy(
        "drop-empty",
        "skip what is empty",
        "The mean of nothing is NaN; skip the batch or the group, or divide by the count clamped to 1.",
        "loss = (losses * mask).sum() / mask.sum().clamp(min=1)",
    ),
    remedy(
        "log-softmax",
        "use the fused, stable form",
        "log_softmax, logsumexp and the ..._with_logits losses subtract the maximum first, so they neither "
        "overflow nor take log of 0; they take raw logits.",
        "loss = F.cross_entropy(logits, target)  # or F.log_softmax(logits, dim=-1)",
    ),
    remedy(
        "remove-softmax",
        "hand the loss raw logits",
        "cross_entropy applies softmax itself; a second one flattens the gradient. Use softmax for predictions only.",
        "loss = F.cross_entropy(logits, target)",
    ),
    remedy(
        "softmax-dim",
        "softmax over the right dimension",
        "Over a dimension of length 1 it is always 1, with slope 0; for a single output use sigmoid.",
        "torch.softmax(scores, dim=-1)",
    ),
    remedy(
        "xlogy",
        "torch.xlogy for x log y",
        "It is 0 where x is 0, instead of 0 x -inf; still needs y above 0 where its own gradient matters.",
        "torch.xlogy(p, q)",
    ),
    remedy(
        "softplus",
        "softplus where the value must be positive",
        "Grows linearly instead of exponentially and never reaches 0: the safe way to scales, rates and variances.",
        "scale = F.softplus(raw) + 1e-6",
    ),
    remedy(
        "variance-floor",
        "give the variance a floor",
        "std and normalisation of constant values divide by 0; an eps under the root bounds the slope at "
        "1 / (2 sqrt(eps)).",
        "torch.sqrt(x.var(-1, unbiased=False) + 1e-5)",
    ),
    remedy(
        "jitter",
        "add jitter to the diagonal",
        "Derivatives of eigh and svd divide by gaps between eigenvalues; a little jitter parts equal ones "
        "and makes Cholesky possible.",
        "a = a + torch.diag(1e-5 * torch.rand(a.shape[-1]))",
    ),
    remedy(
        "zero-infinity",
        "zero_infinity=True in CTC",
        "A target longer than its input has no alignment, hence an infinite loss; this drops such samples, "
        "so find out why they are there.",
        "F.ctc_loss(log_probs, targets, n_in, n_out, zero_infinity=True)",
    ),
    # ---------------------------------------------------------------- graph
    remedy(
        "remove-detach",
        "let the gradient through",
        "Remove .detach(), .data, .item(), numpy or no_grad on the way from these layers to the loss; keep "
        "it where the stop is meant, and freeze the layers so that it shows.",
        "h = encoder(x)  # without .detach()",
    ),
    remedy(
        "differentiable-op",
        "a soft form of the op",
        "argmax, round, comparisons and indexing by a prediction have no slope; softmax-weighted sums, "
        "sigmoids or Gumbel-softmax have one.",
        "y = F.gumbel_softmax(logits, tau=1.0)",
    ),
    remedy(
        "straight-through",
        "a straight-through estimator",
        "Keeps the hard value forward and passes the gradient of the soft one back; biased, but it works "
        "for quantisation and discrete choices.",
        "y = soft + (hard - soft).detach()",
    ),
    remedy(
        "fix-backward",
        "correct the custom backward",
        "What it returns is not the derivative of its forward, or not finite; test it in double precision.",
        "torch.autograd.gradcheck(MyFunction.apply, (x.double().requires_grad_(),))",
    ),
    remedy(
        "loss-fix",
        "let the loss use what the layers produce",
        "The loss leaves this output out, through its mask, its weight, its index or a saturated form; "
        "check how many elements count.",
        "assert mask.any()",
    ),
    # ---------------------------------------------------------------- data
    remedy(
        "data-cleaning",
        "clean the data",
        "Drop or fill NaN and Inf where the data is made, not in the model: one bad value makes every gradient NaN.",
        "x = torch.nan_to_num(x)  # or drop the rows: x[x.isfinite().all(-1)]",
    ),
    remedy(
        "input-check",
        "check each batch as it comes",
        "One line in the loader names the sample; it costs a pass over the batch, so take it out when the "
        "data is known to be clean.",
        "assert torch.isfinite(x).all()",
    ),
    remedy(
        "weight-check",
        "go back to a good checkpoint",
        "Weights that are NaN stay NaN; load the last finite ones, find the step that broke them, and skip "
        "steps whose gradient is not finite.",
        "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)",
    ),
)
