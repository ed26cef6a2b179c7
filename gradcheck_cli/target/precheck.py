"""Everything about a spec that can be judged without torch, so that a slip is told at once."""

from __future__ import annotations

import re

from gradcheck_cli.errors import UsageError
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.suffixes import CSV
from gradcheck_cli.target.code.references import check_file, is_data_file, parse_model, parse_object
from gradcheck_cli.target.code.settings import parse_settings
from gradcheck_cli.target.data.tensorspec import parse_tensor
from gradcheck_cli.words import did_you_mean, listing

# Each dtype with the nn.Module method that casts floating tensors and leaves complex ones alone.
_INDEX = re.compile(r"\d{1,4}", re.ASCII)
DEVICES = ("cpu", "cuda", "mps", "xpu", "hpu", "npu", "mtia", "xla")
"""The kinds of device on which a backward pass can run."""

_MOST_BATCHES = 100_000
CASTS = {"float16": "half", "bfloat16": "bfloat16", "float32": "float", "float64": "double"}


def precheck(spec: CheckSpec) -> None:
    """Check a spec's syntax and that the files it names are there; imports nothing of the user's.

    Raises:
        UsageError: An option cannot be understood or contradicts another.
        TargetError: A file is missing.
    """
    parse_model(spec.model)
    parse_settings(spec.settings)
    _check_device(spec.device)
    _check_dtype(spec.dtype)
    _check_contradictions(spec)
    for option, value in (("--loss", spec.loss), ("--step", spec.step)):
        if value is not None:
            parse_object(value, option)
    if spec.weights is not None:
        check_file(spec.weights, "--weights")
    _check_data(spec)


def _check_device(device: str) -> None:
    kind, colon, index = device.partition(":")
    if device == "meta":
        raise UsageError("--device meta holds no values to measure", hint="Use cpu.")
    if kind not in DEVICES or (colon and not _INDEX.fullmatch(index)):
        raise UsageError(
            f"--device `{device}` is not a device{did_you_mean(device, DEVICES)}", hint="Use cpu, cuda, cuda:1 or mps."
        )


def _check_dtype(dtype: str | None) -> None:
    if dtype is not None and dtype not in CASTS:
        raise UsageError(
            f"--dtype `{dtype}` is not known{did_you_mean(dtype, CASTS)}", hint=f"Use {listing(list(CASTS))}."
        )


def _check_contradictions(spec: CheckSpec) -> None:
    if spec.loss is not None and spec.step is not None:
        raise UsageError("--loss and --step exclude each other", hint="A step computes the loss itself.")
    if spec.batch is not None and spec.inputs:
        raise UsageError("--batch and --input exclude each other", hint="Keep one of the two.")
    if spec.target_column is not None and not (spec.batch or "").lower().endswith(CSV):
        raise UsageError("--target-column needs a .csv file", hint="Write --batch FILE.csv as well.")
    if spec.lr is not None and not 0 < spec.lr < float("inf"):
        raise UsageError(f"--lr {spec.lr:g} is no learning rate", hint="Use a number above 0, such as 1e-3.")
    if spec.batches < 1:
        raise UsageError(f"--batches {spec.batches} asks for no batch", hint="Use 1 or more.")
    if spec.batches > _MOST_BATCHES:
        raise UsageError(f"--batches asks for more than {_MOST_BATCHES} batches", hint="A few say as much.")


def _check_data(spec: CheckSpec) -> None:
    if spec.batch is not None:
        if is_data_file(spec.batch):
            check_file(spec.batch, "--batch")
        else:
            parse_object(spec.batch, "--batch")
    tensors = [("--input", text) for text in spec.inputs]
    tensors += [("--target", spec.target)] if spec.target is not None else []
    for option, text in tensors:
        if is_data_file(text):
            check_file(text, option)
        else:
            parse_tensor(text, option)
    _check_names(spec.inputs)


def _check_names(inputs: tuple[str, ...]) -> None:
    names = [parse_tensor(text, "--input").name for text in inputs if not is_data_file(text)]
    for name in names:
        if name and names.count(name) > 1:
            raise UsageError(f"--input gives `{name}` twice", hint="Keep one of the two.")
