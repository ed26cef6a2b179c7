"""Remedies that change the model, the way it is trained, or the scale of what it sees."""

from __future__ import annotations

from gradcheck_cli.remedies.entry import remedy

REMEDIES = (
    # ---------------------------------------------------------------- activations
    remedy(
        "relu",
        "ReLU in place of the squashing activation",
        "Its slope is 1 wherever it is on, so depth costs nothing; pair it with He initialisation, and keep "
        "sigmoid or tanh only for gates and outputs.",
        "nn.ReLU()",
    ),
    remedy(
        "leaky-relu",
        "LeakyReLU in place of ReLU",
        "A small slope on the negative side lets a unit that is off come back; no use where the weights "
        "before it are NaN or far too large.",
        "nn.LeakyReLU(0.01)",
    ),
    remedy(
        "gelu",
        "GELU (or SiLU) activations",
        "Smooth, and with a gradient on both sides of zero; the usual choice in transformers, slightly "
        "slower than ReLU.",
        "nn.GELU()",
    ),
    # ---------------------------------------------------------------- initialisation
    remedy(
        "init",
        "initialise for the activation in use",
        "He for ReLU, Xavier for tanh and sigmoid: the variance then stays the same from layer to layer; "
        "it sets the start only, so it does not help a net whose slopes are small by nature.",
        'nn.init.kaiming_normal_(layer.weight, nonlinearity="relu"); nn.init.zeros_(layer.bias)',
    ),
    remedy(
        "orthogonal-init",
        "orthogonal recurrent weights",
        "All singular values start at 1, so W^k neither grows nor shrinks at the start; training may still "
        "drift away from it.",
        "nn.init.orthogonal_(rnn.weight_hh_l0)",
    ),
    remedy(
        "bias-init",
        "move the biases",
        "A small positive bias before ReLU, or the class log-odds in the last layer, puts units where they "
        "have a slope; check the learning rate first, since one large step can have pushed them there.",
        "nn.init.constant_(layer.bias, 0.1)",
    ),
    remedy(
        "forget-bias",
        "forget-gate bias of +1 to +3",
        "An LSTM's carry per step is the forget gate itself: at bias 0 it halves, at +2 it is 0.88; LSTM "
        "only, for nn.LSTM the second quarter of each bias vector.",
        "rnn.bias_hh_l0.data[hidden : 2 * hidden].fill_(2.0)",
    ),
    # ---------------------------------------------------------------- architecture
    remedy(
        "normalization",
        "normalise before each activation",
        "LayerNorm (or BatchNorm with a batch of 16 or more) keeps activations where they have a slope, "
        "whatever the weights do; not after the last layer.",
        "nn.Sequential(nn.Linear(n, n), nn.LayerNorm(n), nn.ReLU())",
    ),
    remedy(
        "remove-norm",
        "take the normalisation off the single element",
        "Normalising one value always gives the same constant, so nothing in front of it can learn; use a "
        "norm over more elements, or none.",
        "norm = nn.Identity()",
    ),
    remedy(
        "residual",
        "an identity path around each block",
        "The gradient reaches every block through the sum undamped, whatever the block does; shapes must "
        "match, or the path needs a projection.",
        "x = x + block(x)",
    ),
    remedy(
        "residual-scaling",
        "scale the residual branch",
        "Sums of branches grow with depth; 1/sqrt(2 x blocks), a zero-initialised last layer or pre-norm "
        "keep the stream's size, while a factor that is too small starves the branch.",
        "x = x + block(norm(x)) / math.sqrt(2 * n_blocks)",
    ),
    remedy(
        "fewer-layers",
        "fewer layers",
        "Each layer costs its factor; a shallower net often does as well when normalisation and identity "
        "paths are not wanted.",
    ),
    remedy(
        "lstm",
        "LSTM in place of the plain RNN",
        "Its cell state is carried by a gate instead of a matrix power, so signals survive hundreds of "
        "steps once the forget gate is open; costs four times the weights.",
        "nn.LSTM(inputs, hidden, batch_first=True)",
    ),
    remedy(
        "gru",
        "GRU in place of the plain RNN",
        "A gated carry like an LSTM's at three quarters of its cost; its gates start half closed, so for "
        "very long series an LSTM with a forget bias is safer.",
        "nn.GRU(inputs, hidden, batch_first=True)",
    ),
    remedy(
        "attention",
        "attention or pooling over the steps",
        "Every step gets a path of length one to the loss, however far back it lies; costs memory with the "
        "square of the length where it is self-attention.",
        "h = outputs.mean(dim=1)  # or attend over outputs, instead of outputs[:, -1]",
    ),
    # ---------------------------------------------------------------- training
    remedy(
        "clipping",
        "clip the gradient's norm",
        "Bounds the step when the gradient explodes, at a threshold somewhat above the norm of a healthy "
        "step; it treats the symptom, so mend the scale as well.",
        "torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)",
    ),
    remedy(
        "weight-decay",
        "weight decay (L2)",
        "Pulls large weights back over many steps, which keeps gains near 1; it cannot rescue a start that "
        "already explodes, and it makes vanishing worse.",
        "torch.optim.AdamW(model.parameters(), weight_decay=1e-2)",
    ),
    remedy(
        "l1",
        "L1 penalty on the recurrent weights",
        "Shrinks weights that are not needed all the way to zero and lowers the gain over many steps; "
        "slower to show than clipping.",
        "loss = loss + 1e-4 * sum(p.abs().sum() for p in rnn.parameters())",
    ),
    remedy(
        "lower-lr",
        "a smaller learning rate",
        "Keeps lr x |g|/|w| near 1e-3, so that one step cannot throw the weights into saturation; it does "
        "not bring back a gradient that is already gone.",
        "torch.optim.AdamW(model.parameters(), lr=1e-4)",
    ),
    remedy(
        "raise-lr",
        "a larger learning rate",
        "Brings lr x |g|/|w| near 1e-3, where a thousand steps can change a layer by its own size; find out first "
        "why the gradient is small if only some layers are slow.",
        "torch.optim.AdamW(model.parameters(), lr=1e-3)",
    ),
    remedy(
        "update-baseline",
        "find what changed, or accept it",
        "Compare the initialisation, the scale of the data and the loss with those of the baseline; if the change "
        "was meant, `--update-baseline` makes it what later runs are held against.",
    ),
    remedy(
        "warmup",
        "warm the learning rate up",
        "The first steps are the steepest; a few hundred small ones let normalisation and Adam settle.",
        "torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.01, total_iters=500)",
    ),
    remedy(
        "batch-size",
        "a larger batch",
        "Statistics over one or two samples have next to no variance, or none; where the batch cannot "
        "grow, use GroupNorm or LayerNorm instead of BatchNorm.",
        "DataLoader(data, batch_size=32, shuffle=True, drop_last=True)",
    ),
    # ---------------------------------------------------------------- scales
    remedy(
        "input-normalization",
        "standardise the inputs",
        "Mean 0 and deviation 1 per feature, measured on the training set, keeps the first layer out of "
        "saturation and its gradient at the size of the others.",
        "x = (x - mean) / std",
    ),
    remedy(
        "target-normalization",
        "standardise the targets",
        "A regression loss grows with the square of the targets' scale, and its gradient with the scale; "
        "undo it on the predictions.",
        "y = (y - y_mean) / y_std",
    ),
    remedy(
        "scale-logits",
        "scale the logits down",
        "Divide by sqrt(d) before an attention's softmax, or normalise queries and keys: large logits make "
        "softmax one-hot, and its slope zero.",
        "scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])",
    ),
    remedy(
        "loss-scaling",
        "scale the loss (GradScaler)",
        "Lifts float16 gradients above the smallest number it can hold, and is undone before the step; not "
        "needed with bfloat16.",
        'scaler = torch.amp.GradScaler("cuda")',
    ),
    remedy(
        "mean-aggregation",
        "take the mean instead of the sum",
        "A sum grows with what is summed (pixels, neighbours, steps) and so does its gradient; keep sums "
        "only where the count itself carries information.",
        'loss = F.mse_loss(output, target, reduction="mean")',
    ),
)
