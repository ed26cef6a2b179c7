"""Find the batches that a spec names, or that the model's file holds by the usual names."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import nn

from gradcheck_cli.errors import TargetError, UsageError
from gradcheck_cli.records.spec import CheckSpec, Samples
from gradcheck_cli.target.code.accepts import accepts
from gradcheck_cli.target.code.importing import Imports, UserModule
from gradcheck_cli.target.code.references import is_data_file, parse_object
from gradcheck_cli.target.code.signatures import takes
from gradcheck_cli.target.code.usercode import user_code
from gradcheck_cli.target.data.arrays import described_batches, file_batches, file_samples, target_tensor
from gradcheck_cli.target.data.batching import read
from gradcheck_cli.target.data.nesting import is_sequence
from gradcheck_cli.target.loss.forward import overrides

_ONE_BATCH = ("batch", "make_batch", "get_batch", "build_batch", "create_batch", "example_batch", "sample_batch")
"""What is called so holds one batch."""
BATCH_NAMES = (
    *_ONE_BATCH,
    *("loader", "train_loader", "dataloader", "data_loader", "train_dataloader", "train_dl"),
    *("make_loader", "get_loader", "get_dataloader", "make_dataloader", "get_train_loader", "build_loader"),
    *("dataset", "train_dataset", "train_set", "trainset", "make_dataset", "get_dataset", "data", "get_data"),
)
_PAIRS = (
    ("inputs", "targets"),
    ("inputs", "target"),
    ("inputs", "labels"),
    ("x", "y"),
    ("X", "y"),
    ("X", "Y"),
)


class FoundBatches(NamedTuple):
    """Batches, and in words where they came from.

    `whole` is the list that they are the items of, where that may be one batch itself; None elsewhere. `named_one`
    says whether it has a name of one batch. `samples` says of each batch where its samples come from, if that is known.
    """

    batches: list[Any]
    origin: str
    whole: list[Any] | None = None
    named_one: bool = False
    samples: tuple[Samples, ...] = ()


def load_batches(spec: CheckSpec, imports: Imports, source: UserModule, model: nn.Module) -> FoundBatches:
    """Return the batches and where they came from.

    Raises:
        UsageError: An option cannot be understood.
        TargetError: There is no batch, or it cannot be read.
        UserCodeError: The user's code raised while it made a batch.
    """
    if spec.inputs:
        return FoundBatches(described_batches(spec, model), ", ".join(spec.inputs))
    found = _batches(spec, imports, source, model)
    if spec.target is None:
        return found
    target = target_tensor(spec)
    batches = [_with_target(batch, target) for batch in found.batches]
    return FoundBatches(batches, f"{found.origin}, target {spec.target}", samples=found.samples)


def _batches(spec: CheckSpec, imports: Imports, source: UserModule, model: nn.Module) -> FoundBatches:
    if spec.batch is not None and is_data_file(spec.batch):
        batches, told = file_batches(spec, spec.batch, model)
        return FoundBatches(batches, told, samples=file_samples(spec, spec.batch, len(batches)))
    if spec.batch is not None:
        reference = parse_object(spec.batch, "--batch")
        holder = imports.get(reference) if reference.location else source
        label = f"`{reference.name}` in {holder.label}"
        return _taken(holder.get(reference.name), spec.batches, label, reference.name)
    if overrides(model, "train_dataloader"):
        return _taken(_lightning_loader(model), spec.batches, f"train_dataloader() of {type(model).__name__}")
    return _discovered(source, spec.batches, model)


def _taken(value: Any, count: int, label: str, name: str = "") -> FoundBatches:
    found = read(value, count, label)
    return FoundBatches(found.batches, label, found.whole, name in _ONE_BATCH, found.samples)


def _lightning_loader(model: nn.Module) -> Any:
    """Do what a trainer does before it asks for the data."""
    with user_code(f"{type(model).__name__}.train_dataloader()"):
        for hook, arguments in (("prepare_data", ()), ("setup", ("fit",))):
            if overrides(model, hook):
                getattr(model, hook)(*arguments)
        return model.train_dataloader()  # type: ignore[operator]


def _discovered(source: UserModule, count: int, model: nn.Module) -> FoundBatches:
    for name in BATCH_NAMES:
        value = source.find(name)
        if _is_data(value):
            return _taken(value, count, f"`{name}` in {source.label}", name)
    for inputs, target in _PAIRS:
        pair = (source.find(inputs), source.find(target))
        if all(hasattr(value, "shape") for value in pair):
            return FoundBatches([pair], f"`{inputs}`, `{target}` in {source.label}")
    raise TargetError(
        f"no batch is found in {source.label}",
        hint=f"Define batch() there, returning (inputs, target); or name one: --batch FILE; or draw one: "
        f'--input "{example_input(model)}".',
    )


def _is_data(value: Any) -> bool:
    """A value, or something to call without arguments; not a module imported under a usual name."""
    if value is None or isinstance(value, (str, bytes, bool, int, float, nn.Module)) or _is_python_module(value):
        return False
    return takes(value) if callable(value) else True


def _is_python_module(value: Any) -> bool:
    return type(value).__name__ == "module"


def _with_target(batch: Any, target: Any) -> Any:
    if is_sequence(batch) and len(batch) > 1 and batch[1] is not None:
        raise UsageError("--target: the batch already holds a target", hint="Drop --target.")
    return (batch[0] if is_sequence(batch) else batch, target)


def example_input(model: nn.Module) -> str:
    """A spec that would fit the model's first layer, for a hint."""
    for layer in model.modules():
        if isinstance(layer, nn.Embedding):
            return _named(model, f"int64[8,16] in 0..{layer.num_embeddings}")
        if isinstance(layer, nn.Linear):
            return f"float32[8,{layer.in_features}]"
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            sides = ",32" * len(layer.kernel_size)
            return f"float32[8,{layer.in_channels}{sides}]"
        if isinstance(layer, nn.RNNBase):
            return f"float32[8,16,{layer.input_size}]"
    return "float32[8,3,32,32]"


def _named(model: nn.Module, spec: str) -> str:
    # Hugging Face models take their ids by name.
    return f"input_ids={spec}" if "input_ids" in accepts(model).names else spec
