"""Remedies for precision, unsafe ops, cut graphs and bad data."""

from __future__ import annotations

from gradcheck_cli.remedies.row import TrialKind, remedy

REMEDIES = (
    # ---------------------------------------------------------------- precision
    remedy(
        "bf16",
        "bfloat16 in place of float16",
        "It has float32's range, so it neither overflows at 65504 nor underflows.",
        'torch.autocast("cuda", dtype=torch.bfloat16)',
        unless="where the hardware lacks it, or 8 bits of precision are too few",
        source="Kalamkar et al. 2019, arXiv:1905.12322",
        causes="fp16-overflow:1 fp16-underflow:3",
        tried=TrialKind.EDIT,
    ),
    remedy(
        "fp32",
        "do this op in float32",
        "Norms, softmax, losses and long sums need the range: leave autocast for those lines.",
        'with torch.autocast("cuda", enabled=False): y = op(x.float())',
        unless="for whole models where memory is short",
        source="PyTorch docs, autocast op reference: https://docs.pytorch.org/docs/stable/amp.html",
        causes="degenerate-eigenvalues:3 fp16-overflow:2 fp16-underflow:4 update-moves-nothing:1",
        tried=TrialKind.EDIT,
        needs="update-moves-nothing:low-weights",
        variants={
            "updated": {
                "title": "keep the weights in float32",
                "detail": "They take up updates that a low precision rounds away; under autocast the layers still "
                "compute in it.",
                "code": "model.float()  # and torch.autocast around the forward pass",
                "source": "Micikevicius et al. 2017, arXiv:1710.03740, section 3.1",
            }
        },
    ),
    # ---------------------------------------------------------------- numerics
    remedy(
        "eps",
        "add a small eps inside",
        "Keeps log, sqrt and division away from the point where the value or the slope is infinite; it belongs "
        "under the root.",
        "torch.log(x + 1e-8)  # or torch.sqrt(x + 1e-8), y / (x + 1e-8)",
        unless="where values below zero come in: it does not make them positive",
        source="Higham 2002, Accuracy and Stability of Numerical Algorithms, chapter 1",
        causes="small-denominator:1 log-zero:3 sqrt-zero:1 pow-domain:3 zero-div-zero:1 fp16-underflow:1 zero-norm:1",
        needs="fp16-underflow:updated",
        variants={
            "updated": {
                "title": "an eps for Adam that float16 can hold",
                "detail": "1e-8 is 0 in float16, and Adam then divides by 0 where a gradient is small; 1e-4 is not.",
                "code": "torch.optim.Adam(model.parameters(), eps=1e-4)",
                "unless": "where the weights can be kept in float32, which is safer still",
                "source": "PyTorch docs, torch.optim.Adam: "
                "https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html",
            }
        },
    ),
    remedy(
        "clamp",
        "clamp the argument to the op's domain",
        "Cuts off the few values at which the op has no finite slope.",
        "x.clamp(min=1e-8)  # log, division, sqrt; for acos and asin: x.clamp(-1 + 1e-6, 1 - 1e-6)",
        unless="where most elements lie outside: clamped elements get no gradient",
        source="PyTorch docs, torch.clamp: https://docs.pytorch.org/docs/stable/generated/torch.clamp.html",
        causes="small-denominator:2 exp-overflow:2 log-zero:2 log-negative:2 sqrt-zero:3 pow-domain:1 "
        "acos-boundary:1 zero-times-inf:4 where-trap:2 logsumexp-neginf:2 degenerate-eigenvalues:2 "
        "custom-backward:2 inf-input:3 zero-div-zero:4 zero-norm:2",
        never="custom-backward:vanishing",
    ),
    remedy(
        "double-where",
        "make the input safe before the op, then choose",
        "torch.where sends 0 x inf = NaN back through the branch that it did not choose, so the op itself must "
        "never see the bad value.",
        "ok = x > 0; y = torch.where(ok, f(torch.where(ok, x, 1.0)), 0.0)  # ok: where f and its slope are finite",
        unless="where a clamp is enough",
        source="JAX FAQ, Gradients contain NaN where using where: https://docs.jax.dev/en/latest/faq.html",
        causes="sqrt-zero:2 pow-domain:2 acos-boundary:2 zero-div-zero:2 zero-times-inf:2 where-trap:1 "
        "logsumexp-neginf:3 small-denominator:5 log-zero:5 log-negative:4 exp-overflow:5 zero-norm:3",
        never="exp-overflow:exploding",
    ),
    remedy(
        "exp-of-minus",
        "multiply by exp(-x) instead of dividing by exp(x)",
        "The same number, but the slope of a division has the square of its denominator below it, which is 0 or Inf "
        "long before exp(x) is.",
        "scaled = gap * torch.exp(-log_var)",
        unless="where the denominator is not the exp of something",
        source="Higham 2002, Accuracy and Stability of Numerical Algorithms, chapter 1",
        causes="small-denominator:6",
    ),
    remedy(
        "mask-fix",
        "leave no row without an unmasked entry",
        "A softmax over a row of -inf alone is 0/0. Let empty rows attend to one position and drop their output, "
        "or mask with a large finite number.",
        "mask = mask | ~mask.any(-1, keepdim=True)",
        unless="before it is sure that the mask is not inverted",
        source="PyTorch docs, scaled_dot_product_attention: "
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html",
        causes="masked-loss:1 zero-times-inf:3 masked-softmax-row:1 logsumexp-neginf:1 inf-in-loss:3",
    ),
    remedy(
        "finite-min",
        "mask with a large finite number",
        "After a softmax it weighs exactly as little as -inf, and 0 times it is 0 where 0 times Inf is NaN.",
        "scores = scores.masked_fill(mask, -1e4)",
        unless="where a row may be masked whole: all of it would weigh alike",
        source="PyTorch docs, torch.Tensor.masked_fill: "
        "https://docs.pytorch.org/docs/stable/generated/torch.Tensor.masked_fill.html",
        causes="inf-in-loss:1 masked-softmax-row:3 zero-times-inf:5 inf-input:4 logsumexp-neginf:4 where-trap:3",
    ),
    remedy(
        "slogdet",
        "take the logarithm of the absolute determinant",
        "A square matrix may have a determinant below 0, as a rotation with a mirror has: the density needs its size "
        "alone.",
        "log_det = torch.linalg.slogdet(w)[1]",
        unless="where the sign carries a meaning, or the determinant may be 0",
        source="PyTorch docs, torch.linalg.slogdet: "
        "https://docs.pytorch.org/docs/stable/generated/torch.linalg.slogdet.html",
        causes="negative-determinant:1 exp-overflow:8",
        never="exp-overflow:exploding",
    ),
    remedy(
        "drop-empty",
        "skip what is empty",
        "The mean of nothing is NaN: skip the batch or the group, or divide by the count clamped to 1.",
        "loss = (losses * mask).sum() / mask.sum().clamp(min=1)",
        unless="where an empty batch means that the data is broken",
        source="PyTorch docs, torch.mean: https://docs.pytorch.org/docs/stable/generated/torch.mean.html",
        causes="masked-loss:3 zero-div-zero:3 masked-softmax-row:2 empty-reduction:1 ctc-infeasible:3",
    ),
    remedy(
        "logsumexp",
        "add logarithms instead of multiplying",
        "A product of a hundred probabilities is 0 in float32 (its smallest number is 1e-45), and the sum of their "
        "logarithms is about -200. Sums of such products become logsumexp.",
        "log_p = log_factors.sum(dim=1)  # where it was p = factors.prod(dim=1); p1 + p2 becomes torch.logaddexp",
        unless="for a few factors of about 1",
        source="Rabiner 1989, A tutorial on hidden Markov models, section V.A; PyTorch docs, torch.logsumexp: "
        "https://docs.pytorch.org/docs/stable/generated/torch.logsumexp.html",
        causes="exp-underflow:1",
        needs="exp-underflow:underflown",
    ),
    remedy(
        "log-softmax",
        "use the fused, stable form",
        "log_softmax, logsumexp and the ..._with_logits losses subtract the maximum first, so they neither "
        "overflow nor take the log of 0.",
        "log_p = F.log_softmax(logits, dim=-1)  # or F.binary_cross_entropy_with_logits(logits, target)",
        unless="on probabilities: they take raw logits",
        source="PyTorch docs, torch.nn.BCEWithLogitsLoss: "
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html",
        causes="saturated-loss:1 double-softmax:2 exp-overflow:1 log-zero:1 saturated-output:2 missing-log:1 "
        "unbounded-loss:1",
        codes={
            "cross-entropy": "loss = F.cross_entropy(logits, target)  # or F.log_softmax(logits, dim=-1)",
            "binary": "loss = F.binary_cross_entropy_with_logits(logits, target)",
        },
        needs="cross-entropy|binary|other-loss saturated-output:cross-entropy|binary double-softmax:cross-entropy "
        "saturated-loss:cross-entropy|binary",
        never="exp-overflow:exploding",
    ),
    remedy(
        "softmax",
        "subtract the maximum before exp",
        "A softmax does not change where its scores are shifted, and exp of what is at most 0 cannot overflow; "
        "torch.softmax does it by itself.",
        "p = torch.softmax(scores, dim=-1)  # by segments: (scores - top[index]).exp(), top being their maxima",
        unless="where exp is no part of a softmax",
        source="Higham 2002, Accuracy and Stability of Numerical Algorithms, chapter 1",
        causes="exp-overflow:6",
        never="exp-overflow:exploding",
    ),
    remedy(
        "remove-softmax",
        "hand the loss raw logits",
        "cross_entropy applies softmax itself, and a second one flattens the gradient: use it for predictions only. "
        "Over one logit it is always 1, where a sigmoid was meant.",
        "loss = F.cross_entropy(logits, target)",
        unless="where the loss takes probabilities",
        source="PyTorch docs, torch.nn.CrossEntropyLoss: "
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",
        causes="double-softmax:1 single-element-softmax:2 missing-log:2",
        tried=TrialKind.EDIT,
        needs="softmax",
        codes={"binary": "loss = F.binary_cross_entropy_with_logits(logits, target)"},
    ),
    remedy(
        "remove-sigmoid",
        "hand the loss raw logits",
        "binary_cross_entropy_with_logits applies sigmoid itself, and cross_entropy a softmax. Of a sigmoid before it "
        "the loss gets 0 to 1 only, so it can never be sure: use the sigmoid for predictions only.",
        "loss = F.binary_cross_entropy_with_logits(logits, target)  # or binary_cross_entropy on the sigmoid",
        unless="where the loss takes probabilities",
        source="PyTorch docs, torch.nn.BCEWithLogitsLoss: "
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html",
        causes="double-sigmoid:1",
        codes={"cross-entropy": "loss = F.cross_entropy(logits, target)  # the sigmoid for predictions only"},
        tried=TrialKind.EDIT,
    ),
    remedy(
        "softmax-dim",
        "softmax over the right dimension",
        "Over a dimension of length 1 a softmax is always 1, with slope 0.",
        "torch.softmax(scores, dim=-1)",
        unless="for a single output: use a sigmoid",
        source="PyTorch docs, torch.nn.functional.softmax: "
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html",
        causes="single-element-softmax:1",
        tried=TrialKind.EDIT,
        needs="softmax",
    ),
    remedy(
        "xlogy",
        "torch.xlogy for x log y",
        "It is 0 where x is 0, instead of 0 x -inf.",
        "torch.xlogy(p, q)",
        unless="where y itself is 0 and wants a gradient",
        source="PyTorch docs, torch.special.xlogy: https://docs.pytorch.org/docs/stable/special.html",
        causes="log-zero:4 zero-times-inf:1",
    ),
    remedy(
        "softplus",
        "softplus where the value must be positive",
        "Never 0 as ReLU is, so it has a slope everywhere, and linear where exp overflows: the safe way to scales, "
        "rates, counts and variances.",
        "scale = F.softplus(raw)",
        unless="where values must span many decades: keep the logarithm then, and clamp it",
        source="PyTorch docs, torch.nn.Softplus: https://docs.pytorch.org/docs/stable/generated/torch.nn.Softplus.html",
        causes="exp-overflow:3 log-negative:1 dead-relu:1",
        tried=TrialKind.EDIT,
        needs="dead-relu:rectified-output",
    ),
    remedy(
        "variance-floor",
        "give the variance a floor",
        "The spread of constant values is 0, and what is divided by it has no finite value. An eps under the root "
        "bounds the slope at 1 / (2 sqrt(eps)).",
        "torch.sqrt(x.var(-1, unbiased=False) + 1e-5)",
        unless="where a constant column can be dropped",
        source="PyTorch docs, torch.nn.LayerNorm, eps: "
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html",
        causes="small-denominator:3 zero-variance:1 inf-buffer:1",
    ),
    remedy(
        "jitter",
        "add jitter to the diagonal",
        "Derivatives of eigh and svd divide by gaps between eigenvalues; a little jitter parts equal ones and "
        "makes Cholesky possible.",
        "a = a + torch.diag(1e-5 * torch.rand(a.shape[-1]))",
        unless="where the eigenvectors themselves matter to many digits",
        source="PyTorch docs, torch.linalg.eigh, warnings: "
        "https://docs.pytorch.org/docs/stable/generated/torch.linalg.eigh.html",
        causes="degenerate-eigenvalues:1 negative-determinant:2",
    ),
    remedy(
        "zero-infinity",
        "zero_infinity=True in CTC",
        "A target longer than its input has no alignment, hence an infinite loss; this drops such samples.",
        "F.ctc_loss(log_probs, targets, n_in, n_out, zero_infinity=True)",
        unless="before you know why they are there",
        source="PyTorch docs, torch.nn.CTCLoss: https://docs.pytorch.org/docs/stable/generated/torch.nn.CTCLoss.html",
        causes="ctc-infeasible:1",
    ),
    # ---------------------------------------------------------------- graph
    remedy(
        "remove-detach",
        "let the gradient through",
        "Take .detach(), .data, .item(), numpy or no_grad off the way from these layers to the loss.",
        "h = encoder(x)  # without .detach()",
        unless="where the stop is meant: freeze the layers, so that it shows",
        source="PyTorch docs, autograd mechanics: https://docs.pytorch.org/docs/stable/notes/autograd.html",
        causes="graph-cut:1 parameters-without-gradient:1",
    ),
    remedy(
        "differentiable-op",
        "a soft form of the op",
        "argmax, round, comparisons and indexing by a prediction have no slope; softmax-weighted sums, sigmoids or "
        "Gumbel-softmax have one.",
        "y = F.gumbel_softmax(logits, tau=1.0)",
        unless="where the hard choice is needed forward: use a straight-through estimator",
        source="Jang, Gu and Poole 2016, arXiv:1611.01144; Maddison, Mnih and Teh 2016, arXiv:1611.00712",
        causes="graph-cut:2 non-differentiable-op:1",
    ),
    remedy(
        "use-parameter",
        "compute with the parameter itself, in forward()",
        "A copy, `.data`, or a parameter made of others in the constructor has their values of that moment and no way "
        "back to them. What is computed of parameters belongs into forward(), without no_grad.",
        "w = torch.tanh(self.raw)  # in forward(), not in __init__()",
        unless="where the value is meant to stand still: register a buffer, so that it shows",
        source="PyTorch docs, torch.nn.Parameter: "
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html",
        causes="graph-cut:3 not-in-loss:2",
    ),
    remedy(
        "use-module",
        "call the module and use what it returns",
        "What is built and never called, or whose output the loss leaves out, stays as it was initialised.",
        "h = self.context(h)  # in forward()",
        unless="where it belongs to another loss or stage: freeze it, or build it there",
        source="PyTorch docs, modules: https://docs.pytorch.org/docs/stable/notes/modules.html",
        causes="not-in-loss:1 parameters-without-gradient:2",
    ),
    remedy(
        "surrogate",
        "a surrogate with a slope where the values lie",
        "A box around the threshold passes nothing outside of it. A wider one, or one with tails such as a fast "
        "sigmoid or an arctangent, reaches units that are far from firing; so does a lower threshold.",
        "grad = grad_output / (1 + 10 * (v - threshold).abs()) ** 2",
        unless="where the input is too weak to make any unit fire: raise its scale first",
        source="Neftci, Mostafa and Zenke 2019, Surrogate Gradient Learning in Spiking Neural Networks, "
        "arXiv:1901.09948",
        causes="dead-surrogate:1",
    ),
    remedy(
        "straight-through",
        "a straight-through estimator",
        "Keeps the hard value forward and passes the gradient of the soft one back, for quantisation and discrete "
        "choices.",
        "y = soft + (hard - soft).detach()",
        unless="where its bias hurts: then use a soft form or a score-function estimator",
        source="Bengio, Léonard and Courville 2013, arXiv:1308.3432",
        causes="non-differentiable-op:2",
    ),
    remedy(
        "fix-backward",
        "correct the custom backward",
        "What it returns is not the derivative of its forward, or not finite; test it in double precision.",
        "torch.autograd.gradcheck(MyFunction.apply, (x.double().requires_grad_(),))",
        unless="where the surrogate gradient is meant: say so in its docstring",
        source="PyTorch docs, gradcheck mechanics: https://docs.pytorch.org/docs/stable/notes/gradcheck.html",
        causes="custom-backward:1",
    ),
    remedy(
        "loss-fix",
        "let the loss use what the layers produce",
        "The loss leaves this output out, through its mask, its weight, its index or a saturated form. Check how "
        "many elements count.",
        "assert mask.any()",
        unless="where this batch has nothing to learn from",
        source="PyTorch docs, torch.nn.CrossEntropyLoss, ignore_index: "
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",
        causes="saturated-loss:2 non-differentiable-op:3 masked-loss:2 empty-reduction:2 saturated-output:5 "
        "inf-in-loss:2 not-in-loss:3 wrong-loss:2",
        instead={
            "GC680": {
                "title": "give the term that compares with the targets its weight, and its mask something",
                "detail": "Print that term alone, how many elements its mask leaves, and what it is multiplied by.",
                "code": "assert mask.any() and weight > 0",
                "unless": "where targets come in later on purpose",
            }
        },
    ),
    remedy(
        "shape-fix",
        "give output and target one shape",
        "(N, 1) against (N,) makes (N, N): every output is compared with every target. Squeeze the one or view the "
        "other, and let an assert keep it so.",
        "loss = F.mse_loss(output.squeeze(-1), target)  # or target.view_as(output)",
        unless="where all pairs are meant: write x[:, None] - y[None, :], so that it shows",
        source="PyTorch docs, broadcasting semantics: https://docs.pytorch.org/docs/stable/notes/broadcasting.html",
        causes="broadcast:1",
        tried=TrialKind.EDIT,
    ),
    remedy(
        "transpose",
        "transpose() or permute(), not view()",
        "view() and reshape() keep the order of the elements: they split and join dimensions, and never swap them.",
        "x = x.transpose(0, 1)  # (batch, time, channels) to (time, batch, channels)",
        unless="where a view that was wrong as well is taken back",
        source="PyTorch docs, tensor views: https://docs.pytorch.org/docs/stable/tensor_view.html",
        causes="wrong-dim:1",
        instead={
            "GC207": {
                "title": "let attention or recurrence run over positions",
                "detail": "torch's attention and recurrent layers take (positions, samples, channels) unless "
                "batch_first=True is set; a causal mask keeps the first position from seeing any other.",
                "code": "nn.TransformerEncoderLayer(width, heads, batch_first=True)",
                "unless": "where the position that is read is to know nothing of the others",
            },
        },
    ),
    # ---------------------------------------------------------------- data
    remedy(
        "shuffle",
        "shuffle the samples",
        "A batch of one class, or of one sample again and again, pulls every output to one answer.",
        "DataLoader(data, batch_size=batch_size, shuffle=True)",
        unless="where the order carries information, as in a stream",
        source="Bottou 2012, Stochastic Gradient Descent Tricks; PyTorch docs, torch.utils.data: "
        "https://docs.pytorch.org/docs/stable/data.html",
        causes="unshuffled-batches:1",
        variants={
            "cut-by-hand": {
                "detail": "A batch of one class pulls every output to it. Inputs and targets go into one new order, "
                "drawn before each epoch.",
                "code": "order = torch.randperm(len(x)); x, y = x[order], y[order]  # before each epoch",
            },
        },
        instead={
            "GC663": {
                "title": "begin the loader once an epoch",
                "detail": "iter(loader) starts from the first batch again; a loop over the loader, or one iterator "
                "that is kept, goes on to the next.",
                "code": "for x, y in loader:  # in place of next(iter(loader))",
                "unless": "where one batch is learned by heart on purpose: take it once, before the loop",
            },
            "GC664": {
                "title": "set the seed once, before the loop",
                "detail": "A seed that is set at every step draws the same batch and the same masks each time.",
                "code": "torch.manual_seed(0)  # before the loop",
                "unless": "where a step is to be repeated on purpose",
            },
        },
    ),
    remedy(
        "reduction-fix",
        "bring the terms of the loss to one scale",
        "A sum over elements beside a mean outweighs it by their number. Reduce both alike, then weigh the penalty so "
        "that its gradient stays below the error's.",
        "loss = (output - target).square().flatten(1).sum(1).mean() + penalty.flatten(1).sum(1).mean()",
        unless="where the penalty is meant to win, as at the end of an annealing",
        source="Kingma and Welling 2014, arXiv:1312.6114; Higgins et al. 2017, beta-VAE",
        causes="loss-balance:1",
    ),
    remedy(
        "nonsaturating-loss",
        "a generator's loss that is steep where it fails",
        "Maximise log p in place of minimising log(1 - p): the same fixed point, and a slope of 1 - p, which is "
        "largest where the discriminator is sure.",
        "loss = F.softplus(-discriminator_logits).mean()  # -log p",
        unless="where the discriminator is far too strong: noise on its input or fewer of its steps help more",
        source="Goodfellow et al. 2014, Generative Adversarial Nets, section 3",
        causes="minimax-loss:1",
    ),
    remedy(
        "cross-entropy",
        "one output a class, and a loss over classes",
        "The number of a class is a name, no amount: a squared error draws outputs to it as if class 4 were twice "
        "class 2.",
        "loss = F.cross_entropy(logits, target)  # logits (N, C), target (N,) of int64",
        unless="where the numbers are amounts, as grades or counts: then one output and a squared error fit",
        source="Goodfellow, Bengio and Courville 2016, Deep Learning, section 6.2.2",
        causes="wrong-loss:1",
        needs="regression",
    ),
    remedy(
        "label-fix",
        "bring the labels into the range of the loss",
        "A cross entropy of yes and no takes 0 to 1: divide masks by 255, map -1 to 0, count classes from 0.",
        "target = (target > 0).float()",
        unless="where they are amounts: then a regression loss fits",
        source="PyTorch docs, torch.nn.BCEWithLogitsLoss: "
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html",
        causes="label-range:1 constant-target:1",
        instead={
            "constant-target": {
                "title": "see how the labels are made",
                "detail": "Labels that are cut to whole numbers, read from the wrong column or filled in for all are "
                "alike; so are those of real classes whose number is the loss's ignore_index.",
                "code": "print(target.unique(return_counts=True))",
                "unless": "where one class is all there is: then a loss that tells it from others has nothing to learn",
                "source": "PyTorch docs, torch.unique: "
                "https://docs.pytorch.org/docs/stable/generated/torch.unique.html",
            }
        },
    ),
    remedy(
        "data-cleaning",
        "clean the data",
        "Drop or fill NaN and Inf where the data is made: one bad value makes every gradient NaN.",
        "x = torch.nan_to_num(x)  # or drop the rows: x[x.isfinite().all(-1)]",
        unless="inside the model, where it hides the next fault",
        source="PyTorch docs, torch.nan_to_num: https://docs.pytorch.org/docs/stable/generated/torch.nan_to_num.html",
        causes="log-negative:3 zero-variance:3 ctc-infeasible:2 nan-input:1 inf-input:1 nan-parameter:4 inf-buffer:3",
    ),
    remedy(
        "input-check",
        "check each batch as it comes",
        "One line where the batch is taken stops the run at the first that is not finite.",
        "assert torch.isfinite(x).all()",
        unless="once the data is known to be clean: it costs a pass over every batch",
        source="PyTorch docs, torch.isfinite: https://docs.pytorch.org/docs/stable/generated/torch.isfinite.html",
        causes="nan-input:2 inf-input:2",
    ),
    remedy(
        "weight-check",
        "go back to a good checkpoint",
        "Weights that are NaN stay NaN. Load the last finite ones, find the step that broke them, and skip steps "
        "whose gradient is not finite.",
        "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)",
        unless="as a habit: a skipped step hides the cause",
        source="PyTorch docs, clip_grad_norm_, error_if_nonfinite: "
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html",
        causes="nan-parameter:1 inf-buffer:2",
    ),
)
