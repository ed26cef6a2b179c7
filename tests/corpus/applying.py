"""Which remedies cannot apply to a model: held against what its code calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from gradcheck_cli import Finding
from gradcheck_cli.records.report import Remedy

GATED, PLAIN = (nn.LSTM, nn.LSTMCell, nn.GRU, nn.GRUCell), (nn.RNN, nn.RNNCell)
CLASSES = {"cross_entropy", "nll_loss", "log_softmax", "ctc_loss", "multi_margin_loss"}
BINARY = {"binary_cross_entropy", "binary_cross_entropy_with_logits", "logsigmoid"}
DISTANCES = {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}
NORMS = {"layer_norm", "batch_norm", "group_norm", "instance_norm", "rms_norm", "normalize"}
SQUASHING = {"sigmoid", "sigmoid_", "tanh", "tanh_", "hardtanh", "hardsigmoid"}
RECTIFYING = {"relu", "relu_", "relu6", "threshold", "clamp", "clamp_min"}
SUMS = {"add", "add_", "__add__", "__iadd__", "__radd__", "__sub__", "sub", "lerp", "addcmul"}


@dataclass
class Called(TorchFunctionMode):
    """The torch functions that one step calls, the sums of two equal shapes, and how often each parameter goes in."""

    model: nn.Module
    names: set[str] = field(default_factory=set)
    merges: int = 0
    uses: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__init__()
        self.own = {id(p) for p in self.model.parameters()}

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tensors = [value for value in args if isinstance(value, Tensor)]
        name = getattr(function, "__name__", "")
        self.names.add(name)
        self.uses.update(id(t) for t in tensors if id(t) in self.own)
        flowing = [t.shape for t in tensors if id(t) not in self.own and t.requires_grad]
        self.merges += name in SUMS and len(flowing) == 2 and flowing[0] == flowing[1]
        return function(*args, **(kwargs or {}))

    def has(self, *kinds: type[nn.Module]) -> bool:
        return any(isinstance(module, kinds) for module in self.model.modules())

    @property
    def recurrent(self) -> bool:
        return self.has(*PLAIN, *GATED) or max(self.uses.values(), default=0) >= 8


IMPOSSIBLE: dict[str, Callable[[Called, Any], bool]] = {
    "residual-scaling": lambda called, batch: not called.merges,
    "init": lambda called, batch: all(p.ndim < 2 for p in called.model.parameters()),
    "lstm": lambda called, batch: not called.recurrent or (not called.has(*PLAIN) and called.has(*GATED)),
    "gru": lambda called, batch: not called.recurrent or (not called.has(*PLAIN) and called.has(*GATED)),
    "attention": lambda called, batch: not called.recurrent,
    "orthogonal-init": lambda called, batch: not called.recurrent,
    "identity-recurrence": lambda called, batch: not called.recurrent,
    "forget-bias": lambda called, batch: not called.names & {"sigmoid", "sigmoid_", "glu"} and not called.has(*GATED),
    "relu": lambda called, batch: not called.names & SQUASHING and not called.has(*PLAIN),
    "leaky-relu": lambda called, batch: not called.names & RECTIFYING,
    "log-softmax": lambda called, batch: bool(called.names & DISTANCES) and not called.names & (CLASSES | BINARY),
    "remove-softmax": lambda called, batch: not called.names & {"softmax", "log_softmax"},
    "softmax-dim": lambda called, batch: "softmax" not in called.names,
    "remove-norm": lambda called, batch: not called.names & NORMS,
    "batch-size": lambda called, batch: "layer_norm" in called.names and "batch_norm" not in called.names,
    "input-normalization": lambda called, batch: (
        not any(isinstance(leaf, Tensor) and leaf.is_floating_point() for leaf in tree_leaves(batch))
    ),
    "target-normalization": lambda called, batch: bool(called.names & CLASSES) and not called.names & DISTANCES,
}
"""By remedy, whether a model that calls this has nothing for it to act on."""


def cannot_apply(remedy: Remedy, finding: Finding, called: Called, batch: Any) -> bool:
    if remedy.id in ("clipping", "weight-decay") and finding.family.value in ("vanishing", "no-gradient"):
        return True
    if remedy.code.startswith("loss = F.cross_entropy") and called.names & BINARY and not called.names & CLASSES:
        return True
    return IMPOSSIBLE.get(remedy.id, lambda called, batch: False)(called, batch)
