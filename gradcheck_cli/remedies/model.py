"""Remedies that change the model, the way it is trained, or the scale of what it sees."""

from __future__ import annotations

from gradcheck_cli.remedies.row import TrialKind, remedy

REMEDIES = (
    # ---------------------------------------------------------------- activations
    remedy(
        "relu",
        "ReLU in place of the squashing activation",
        "Its slope is 1 wherever it is on, so depth costs nothing, where a sigmoid's slope is 0.25 at best. Tried "
        "together with He initialisation.",
        "nn.ReLU()",
        unless="where the activation is a gate or bounds an output",
        source="Glorot, Bordes and Bengio 2011, Deep Sparse Rectifier Neural Networks; He et al. 2015, "
        "arXiv:1502.01852",
        causes="saturating-activation:1 depth:5",
        tried=TrialKind.EDIT,
        needs="squashing",
    ),
    remedy(
        "leaky-relu",
        "LeakyReLU in place of ReLU",
        "A slope of 0.01 on the negative side lets a unit that is off for every input come back.",
        "nn.LeakyReLU(0.01)",
        unless="where the weights before it are NaN or far too large: they have to go first",
        source="Maas, Hannun and Ng 2013, Rectifier Nonlinearities Improve Neural Network Acoustic Models",
        causes="dead-relu:2",
        tried=TrialKind.EDIT,
    ),
    remedy(
        "gelu",
        "GELU (or SiLU) activations",
        "Smooth, and with a gradient on both sides of zero; the usual choice in transformers.",
        "nn.GELU()",
        unless="where speed counts more: it costs a little more than ReLU",
        source="Hendrycks and Gimpel 2016, arXiv:1606.08415",
        causes="saturating-activation:5 dead-relu:5",
        tried=TrialKind.EDIT,
        needs="saturating-activation:squashing dead-relu:hidden",
    ),
    # ---------------------------------------------------------------- initialisation
    remedy(
        "init",
        "initialise for the activation in use",
        "He for ReLU, Xavier for tanh and sigmoid: the variance of activations and gradients stays the same from "
        "layer to layer.",
        'nn.init.kaiming_normal_(layer.weight, nonlinearity="relu"); nn.init.zeros_(layer.bias)',
        unless="where slopes are small by nature, as a sigmoid's: it sets the start only",
        source="He et al. 2015, arXiv:1502.01852; Glorot and Bengio 2010, Understanding the Difficulty of Training "
        "Deep Feedforward Neural Networks",
        causes="saturating-activation:3 saturated-output:6 softmax-saturation:3 small-init:1 depth:3 "
        "residual-scale:2 large-init:1 dead-relu:3 norm-depth:2 collapsed:3 over-smoothing:4 "
        "no-residual:3 zero-product:1 symmetric-init:1 dead-surrogate:3 zero-div-zero:5 zero-norm:4 "
        "nan-parameter:5",
        tried=TrialKind.EDIT,
        never="saturated-output:unreached",
        instead={
            "nan-parameter": {
                "title": "begin with numbers",
                "detail": "What torch.empty returns holds whatever lay there, and the inverse of a function may have "
                "no finite value at the start that is asked for, as that of softplus has none at 0.",
                "code": "w = nn.Parameter(torch.zeros(size))  # in place of torch.empty(size)",
                "unless": "where the values were lost in training: go back to a good checkpoint",
                "source": "PyTorch docs, torch.empty: https://docs.pytorch.org/docs/stable/generated/torch.empty.html",
            }
        },
    ),
    remedy(
        "orthogonal-init",
        "orthogonal recurrent weights",
        "All singular values are 1, so W^k neither grows nor shrinks at the start. Where a sigmoid stands "
        "between the steps, a tanh is tried in its place.",
        "nn.init.orthogonal_(rnn.weight_hh_l0)",
        unless="where training drifts away from it: then a gated cell holds better",
        source="Saxe, McClelland and Ganguli 2013, arXiv:1312.6120",
        causes="bptt-decay:4 recurrent-gain:1",
        tried=TrialKind.EDIT,
        needs="recurrent",
    ),
    remedy(
        "identity-recurrence",
        "ReLU with an identity for the recurrent weight",
        "Each step starts by keeping its state, so a gradient comes back through all steps undamped.",
        "nn.init.eye_(cell.recurrent.weight)  # and torch.relu in place of torch.tanh",
        unless="without clipping: nothing bounds the state",
        source="Le, Jaitly and Hinton 2015, arXiv:1504.00941",
        causes="bptt-decay:5 recurrent-gain:2",
        tried=TrialKind.EDIT,
        needs="plain-recurrent",
    ),
    remedy(
        "bias-init",
        "move the biases",
        "Biases of 0, a little above it before ReLU, or the class log-odds in the last layer put units where they "
        "have a slope.",
        "nn.init.constant_(layer.bias, 0.1)",
        unless="where one large step pushed them there: lower the learning rate first",
        source="Goodfellow, Bengio and Courville 2016, Deep Learning, section 8.4",
        causes="saturating-activation:7 saturated-output:7 gate-closed:2 dead-relu:4",
        tried=TrialKind.EDIT,
        never="saturated-output:unreached",
    ),
    remedy(
        "forget-bias",
        "forget-gate bias of +1 to +3",
        "What a gated cell carries from step to step is its gate: at bias 0 it halves at each step, at ln T it "
        "keeps 1/e over T steps.",
        "rnn.bias_hh_l0.data[hidden : 2 * hidden].fill_(2.0)",
        unless="where what is old should be forgotten",
        source="Gers, Schmidhuber and Cummins 2000, Learning to Forget; Tallec and Ollivier 2018, arXiv:1804.11188",
        causes="bptt-decay:3 gate-closed:1",
        tried=TrialKind.EDIT,
        needs="gated gate-closed:recurrent",
    ),
    # ---------------------------------------------------------------- architecture
    remedy(
        "normalization",
        "normalise before each activation",
        "LayerNorm, or BatchNorm with a batch of 16 or more, keeps activations at the size at which they have a "
        "slope, whatever the weights do.",
        "nn.Sequential(nn.Linear(n, n), nn.LayerNorm(n), nn.ReLU())",
        unless="after the last layer, or over a single element",
        source="Ioffe and Szegedy 2015, arXiv:1502.03167; Ba, Kiros and Hinton 2016, arXiv:1607.06450",
        causes="saturating-activation:2 saturated-output:10 softmax-saturation:2 small-init:2 depth:2 "
        "residual-scale:3 large-init:2 input-scale:2 residual-growth:2 sum-aggregation:2 "
        "single-element-norm:2 lr-too-low:2 exp-underflow:2 norm-depth:3 collapsed:2 "
        "over-smoothing:2 no-residual:2 unknown:1 dead-surrogate:2 exp-overflow:9",
        tried=TrialKind.EDIT,
        codes={"convolutional": "nn.Sequential(nn.Conv2d(n, n, 3, padding=1), nn.GroupNorm(1, n), nn.ReLU())"},
        needs="saturated-output:hidden softmax-saturation:hidden input-scale:hidden lr-too-low:hidden unknown:hidden "
        "exp-overflow:exploding",
        never="saturated-output:unreached exp-underflow:underflown",
    ),
    remedy(
        "lower-scale",
        "a wider kernel",
        "exp(-d) is next to nothing where distances are large, and so is its slope. A bandwidth of the size of the "
        "distances, as their median, keeps it near 1.",
        "k = torch.exp(-d / d.detach().median())",
        unless="where far things are meant not to count",
        source="Gretton et al. 2012, A Kernel Two-Sample Test, Journal of Machine Learning Research 13, section 8",
        causes="exp-underflow:5",
    ),
    remedy(
        "remove-norm",
        "take the normalisation off the single element",
        "Normalising one value always gives the same constant, so nothing in front of it can learn.",
        "norm = nn.Identity()",
        unless="where a norm over more elements, such as GroupNorm, fits",
        source="PyTorch docs, torch.nn.LayerNorm: https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html",
        causes="single-element-norm:1",
        tried=TrialKind.EDIT,
    ),
    remedy(
        "residual",
        "an identity path around each block",
        "In x + f(x) the gradient reaches every block through the sum undamped, whatever the block does to it.",
        "x = x + block(x)",
        unless="where input and output differ in shape: the path then needs a projection",
        source="He et al. 2015, arXiv:1512.03385; He et al. 2016, Identity Mappings in Deep Residual Networks, "
        "arXiv:1603.05027",
        causes="saturating-activation:4 small-init:3 depth:1 bptt-decay:7 norm-depth:1 collapsed:1 "
        "over-smoothing:1 no-residual:1 unknown:2",
        tried=TrialKind.EDIT,
        needs="unknown:hidden",
    ),
    remedy(
        "residual-scaling",
        "scale the residual branch",
        "Sums of branches grow with depth. Branches times 1/sqrt(2 x blocks), a zero-initialised last layer or "
        "pre-norm keep the size of the stream.",
        "x = x + block(norm(x)) / math.sqrt(2 * n_blocks)",
        unless="with a factor far below 1/blocks: it starves the branch",
        source="De and Smith 2020, arXiv:2002.10444; Xiong et al. 2020, arXiv:2002.04745",
        causes="small-init:4 residual-scale:1 residual-growth:1",
        tried=TrialKind.EDIT,
        needs="residual",
    ),
    remedy(
        "output-layer",
        "an output that reaches the targets",
        "A sigmoid ends at 0 and 1 and a ReLU begins at 0. Targets beyond that drive it to its end, where the slope is "
        "0; a plain linear output reaches all.",
        "return self.out(h)  # without the activation",
        unless="where the targets can be scaled into its range instead",
        source="Goodfellow, Bengio and Courville 2016, Deep Learning, section 6.2.2",
        causes="saturated-output:1",
        tried=TrialKind.EDIT,
        needs="saturated-output:unreached",
    ),
    remedy(
        "fewer-layers",
        "fewer layers",
        "Each layer costs its factor, and a shallower net often does as well.",
        unless="where depth pays: normalisation and identity paths make it cheap",
        source="He et al. 2015, arXiv:1512.03385, on plain nets that get worse with depth",
        causes="depth:4 collapsed:4 over-smoothing:3 no-residual:4",
    ),
    remedy(
        "lstm",
        "LSTM in place of the plain RNN",
        "Its cell state is carried by a gate instead of a power of a matrix, so signals survive hundreds of steps "
        "once the forget gate is open.",
        "nn.LSTM(inputs, hidden, batch_first=True)",
        unless="where four times the weights are too many, or the dependence is short",
        source="Hochreiter and Schmidhuber 1997, Long Short-Term Memory",
        causes="bptt-decay:1 gate-closed:3 recurrent-gain:4",
        tried=TrialKind.EDIT,
        needs="plain-recurrent",
    ),
    remedy(
        "gru",
        "GRU in place of the plain RNN",
        "A gated carry like an LSTM's at three quarters of its cost.",
        "nn.GRU(inputs, hidden, batch_first=True)",
        unless="for very long series without an open update gate: it starts half closed",
        source="Cho et al. 2014, arXiv:1406.1078",
        causes="bptt-decay:2 recurrent-gain:5",
        tried=TrialKind.EDIT,
        needs="plain-recurrent",
    ),
    remedy(
        "attention",
        "attention or pooling over the steps",
        "Every step gets a path of length one to the loss, however far back it lies.",
        "h = outputs.mean(dim=1)  # or attend over outputs, instead of outputs[:, -1]",
        unless="where the sequence is too long for self-attention, whose memory grows with its square; pooling costs "
        "nothing",
        source="Bahdanau, Cho and Bengio 2014, arXiv:1409.0473; Vaswani et al. 2017, arXiv:1706.03762",
        causes="bptt-decay:6 gate-closed:4",
        needs="recurrent",
    ),
    # ---------------------------------------------------------------- training
    remedy(
        "clipping",
        "clip the gradient's norm",
        "Bounds the step when the gradient explodes, at a threshold somewhat above the norm of a healthy step.",
        "torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)",
        unless="alone: it treats the symptom, so mend the scale as well",
        source="Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063",
        causes="large-init:3 target-scale:3 loss-scale:4 residual-growth:4 recurrent-gain:3 "
        "sum-aggregation:3 small-denominator:4 nan-parameter:3 lr-too-high:3 grad-spike:1 no-clipping:1",
        tried=TrialKind.TRAINING,
        never="vanishing",
    ),
    remedy(
        "weight-decay",
        "weight decay (L2)",
        "Pulls large weights back over many steps (L2), which brings gains down to 1.",
        "torch.optim.AdamW(model.parameters(), weight_decay=1e-2)",
        unless="where the gradient vanishes: it makes that worse; and it cannot rescue a start that already explodes",
        source="Krogh and Hertz 1991, A Simple Weight Decay Can Improve Generalization; Loshchilov and Hutter 2017, "
        "arXiv:1711.05101",
        causes="large-init:4 recurrent-gain:6",
        tried=TrialKind.TRAINING,
        never="vanishing",
    ),
    remedy(
        "lower-decay",
        "a smaller weight decay",
        "Below wd = |g| / |w| the gradient outweighs the pull to 0, and the weights grow to what the data ask for.",
        "torch.optim.AdamW(model.parameters(), weight_decay=1e-3)",
        unless="where the loss is that of one answer for another reason: the weights then shrink as a consequence",
        source="Krogh and Hertz 1991, A Simple Weight Decay Can Improve Generalization",
        causes="weight-decay:1",
    ),
    remedy(
        "lower-dropout",
        "drop less",
        "p is the share that is put to 0: 0.1 to 0.5. A share that is kept, as other libraries ask for, is 1 - p.",
        "nn.Dropout(0.1)",
        unless="where the loss does not fall for another reason: try it with dropout off first",
        source="Srivastava et al. 2014, Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
        causes="dropout-too-high:1",
        tried=TrialKind.EDIT,
    ),
    remedy(
        "l1",
        "L1 penalty on the recurrent weights",
        "Shrinks weights that are not needed all the way to zero, which lowers the gain over many steps.",
        "loss = loss + 1e-4 * sum(p.abs().sum() for p in rnn.parameters())",
        unless="where it has to help at once: clipping does",
        source="Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063; Tibshirani 1996, Regression Shrinkage and Selection "
        "via the Lasso",
        causes="recurrent-gain:7",
        tried=TrialKind.TRAINING,
    ),
    remedy(
        "lower-lr",
        "a smaller learning rate",
        "Keeps lr x |g|/|w| near 1e-3, so that one step cannot throw the weights into saturation.",
        "torch.optim.AdamW(model.parameters(), lr=1e-4)",
        unless="where the gradient is already gone: it does not bring it back",
        source="Bottou 2012, Stochastic Gradient Descent Tricks; Goodfellow, Bengio and Courville 2016, Deep Learning, "
        "section 8.3",
        causes="saturated-output:8 softmax-saturation:4 loss-scale:3 dead-relu:6 nan-parameter:2 "
        "lr-too-high:1 norm-depth:5 no-warmup:2 unknown:3 grad-spike:2 collapse:1",
        tried=TrialKind.TRAINING,
        never="saturated-output:vanishing softmax-saturation:vanishing dead-relu:vanishing unknown:vanishing",
    ),
    remedy(
        "higher-lr",
        "a larger learning rate",
        "Brings lr x |g|/|w| near 1e-3, where a thousand steps can change a layer by its own size.",
        "torch.optim.AdamW(model.parameters(), lr=1e-3)",
        unless="where only some layers are slow: find out first why their gradient is small",
        source="Smith 2015, arXiv:1506.01186",
        causes="lr-too-low:1 update-moves-nothing:2 stuck:1",
    ),
    remedy(
        "update-baseline",
        "find what changed, or accept it",
        "Compare the initialisation, the scale of the data and the loss with those of the baseline; if the change "
        "was meant, `--update-baseline` makes it what later runs are held against.",
        unless="where the move was not meant: find the change that made it",
        source="Sculley et al. 2015, Hidden Technical Debt in Machine Learning Systems",
        causes="drift:1",
    ),
    remedy(
        "warmup",
        "warm the learning rate up",
        "The first steps are the steepest; a few hundred small ones let normalisation and Adam settle.",
        "torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.01, total_iters=500)",
        unless="where the loss explodes at any rate: the scale is to be mended",
        source="Goyal et al. 2017, arXiv:1706.02677; Xiong et al. 2020, arXiv:2002.04745",
        causes="large-init:5 residual-growth:3 lr-too-high:2 norm-depth:4 no-warmup:1",
        tried=TrialKind.TRAINING,
    ),
    remedy(
        "batch-size",
        "a larger batch",
        "Statistics over one or two samples have next to no variance, or none.",
        "DataLoader(data, batch_size=32, shuffle=True, drop_last=True)",
        unless="where the batch cannot grow: use GroupNorm or LayerNorm instead of BatchNorm",
        source="Wu and He 2018, arXiv:1803.08494",
        causes="single-element-norm:3 empty-reduction:3 zero-variance:2",
        needs="single-element-norm:batch-normalised",
    ),
    # ---------------------------------------------------------------- scales
    remedy(
        "input-normalization",
        "standardise the inputs",
        "Mean 0 and deviation 1 for every feature, measured on the training set, keep the first layer out of "
        "saturation and its gradient at the size of the others.",
        "x = (x - mean) / std",
        unless="for ids and one-hot codes, which are no quantities",
        source="LeCun, Bottou, Orr and Müller 1998, Efficient BackProp",
        causes="saturating-activation:6 input-scale:1 dead-relu:7 saturated-output:4 exp-underflow:4 exp-overflow:7",
        tried=TrialKind.EDIT,
        needs="floating-inputs saturated-output:large-inputs",
        never="saturated-output:unreached exp-underflow:underflown",
    ),
    remedy(
        "unit-loss",
        "a loss of about 1",
        "A constant factor changes nothing of where the minimum lies: give errors and weights in units in which they "
        "are of order 1, or divide by the constant.",
        "loss = loss / scale  # a constant: the first loss, or the square of the unit",
        unless="where another term is weighed against it: divide both",
        source="LeCun, Bottou, Orr and Müller 1998, Efficient BackProp",
        causes="loss-scale:1",
    ),
    remedy(
        "target-normalization",
        "standardise the targets",
        "A squared loss grows with the square of the targets' scale, and its gradient with the scale. Undo it on "
        "the predictions.",
        "y = (y - y_mean) / y_std",
        unless="for classes and probabilities",
        source="Bishop 1995, Neural Networks for Pattern Recognition",
        causes="saturated-output:9 saturated-loss:3 target-scale:1 loss-scale:5",
        tried=TrialKind.EDIT,
        needs="saturated-output:regression saturated-loss:regression loss-scale:regression",
    ),
    remedy(
        "scale-logits",
        "scale the logits down",
        "Large logits make a softmax one-hot, a sigmoid flat and an exp 0, with slope zero. Divide by sqrt(d) in "
        "attention, or normalise queries and keys.",
        "logits = logits / logits.detach().std()",
        unless="where the logits are right and the model is sure",
        source="Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1",
        causes="saturated-output:3 saturated-loss:4 softmax-saturation:1 exp-overflow:4 fp16-overflow:4 "
        "exp-underflow:3",
        tried=TrialKind.EDIT,
        codes={"softmax": "scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])"},
        never="saturated-output:unreached exp-underflow:underflown",
    ),
    remedy(
        "loss-scaling",
        "scale the loss (GradScaler)",
        "Lifts float16 gradients above the smallest number that it can hold, and is undone before the step.",
        'scaler = torch.amp.GradScaler("cuda")',
        unless="with bfloat16, which has float32's range",
        source="Micikevicius et al. 2017, arXiv:1710.03740; torch.amp: https://docs.pytorch.org/docs/stable/amp.html",
        causes="fp16-overflow:3 fp16-underflow:2",
        tried=TrialKind.EDIT,
        never="fp16-underflow:updated fp16-overflow:scaled",
    ),
    remedy(
        "mean-aggregation",
        "take the mean instead of the sum",
        "A sum grows with what is summed (pixels, neighbours, steps), and so does its gradient; a mean does not.",
        'loss = F.mse_loss(output, target, reduction="mean")',
        unless="where the count itself carries information",
        source="Kipf and Welling 2016, arXiv:1609.02907; Xu et al. 2018, arXiv:1810.00826, on what sums keep",
        causes="target-scale:2 loss-scale:2 sum-aggregation:1",
        tried=TrialKind.EDIT,
    ),
)
