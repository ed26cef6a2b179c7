"""What a gradcheck.yaml may hold. The descriptions are those of `gradcheck schema`."""

from __future__ import annotations

import shlex
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema
from pydantic_core import PydanticCustomError

from gradcheck_cli.records.choices import FailOn, Mode, Optimizer
from gradcheck_cli.records.size import parse_limit
from gradcheck_cli.records.thresholds import TUNABLE
from gradcheck_cli.rules import EVERY_RULE, fits_a_rule, no_such_rule
from gradcheck_cli.words import did_you_mean

FAILED = "failed"
"""What `expect` calls a check that cannot be made."""
_CODES = {rule.code for rule in EVERY_RULE}
_NAMES = {rule.name: rule.code for rule in EVERY_RULE}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


def _pattern(value: str) -> str:
    if not fits_a_rule(value):
        raise PydanticCustomError("rule", "{told}", {"told": no_such_rule(value)})
    return value


def _expected(value: str) -> str:
    return value if value == FAILED else _code(value)


def _code(value: str) -> str:
    found = _NAMES.get(value, value)
    if found not in _CODES:
        raise PydanticCustomError("rule", "{told}", {"told": no_such_rule(value)})
    return found


def _size(value: str) -> str:
    try:
        parse_limit(value)
    except ValueError as error:
        raise PydanticCustomError("size", "{told}", {"told": str(error)}) from error
    return value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _not_a_bool(value: Any) -> Any:
    """`true` is 1 in Python alone."""
    return str(value) if isinstance(value, bool) else value


def _runs(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _arguments(value: Any) -> Any:
    """A line as a shell splits it."""
    try:
        return shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:  # a quote that is not closed
        told = f"cannot be split into arguments ({error})"
        raise PydanticCustomError("arguments", "`args` {told}", {"told": told}) from error


def _waivers(value: Any) -> Any:
    """Every way to write `ignore` as a mapping from rules to lists of waivers; an empty list is the whole rule."""
    if isinstance(value, dict):
        return {rule: _with_reasons(rule, waivers) for rule, waivers in value.items()}
    rules = _listed(value)
    if isinstance(rules, list) and all(isinstance(rule, str) for rule in rules):
        return {rule: [] for rule in rules}
    raise PydanticCustomError("ignore", "`ignore` takes rules, or `RULE: {{layers: [GLOB, ...], reason: WHY}}`")


def _with_reasons(rule: str, value: Any) -> Any:
    waivers = [value] if isinstance(value, dict) else value
    if isinstance(waivers, str) or (isinstance(waivers, list) and any(isinstance(item, str) for item in waivers)):
        told = "layers need a reason: write {layers: [GLOB, ...], reason: WHY}"
        raise PydanticCustomError("reason", "{told}", {"told": told, "at": [rule]})
    return waivers


def _moved(value: Any) -> Any:
    """Check that every threshold belongs to its rule and lies within its bounds."""
    for rule, numbers in value.items():
        known = {name: bounds for name, bounds in TUNABLE.items() if bounds.rule == rule}
        for name, number in numbers.items():
            if name not in known:
                told = f"{rule} has no threshold `{name}`{did_you_mean(name, known)}" + _there_are(known)
                raise PydanticCustomError("threshold_name", "{told}", {"told": told, "at": [rule, name]})
            low, high = known[name].low, known[name].high
            if not low <= number <= high:
                told = f"{name} must lie between {low:g} and {high:g}"
                raise PydanticCustomError("threshold", "{told}", {"told": told, "at": [rule, name]})
    return value


def _there_are(known: dict[str, Any]) -> str:
    return f" (it has {', '.join(known)})" if known else " (it has none)"


_SIZE = {"type": "string", "pattern": r"^[\d.]+ *([KMGTkmgt][Ii]?)?[Bb]$"}
_RULE = {"type": "string", "examples": sorted(_CODES | set(_NAMES))}
_THRESHOLDS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        rule: {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                name: {"type": "number", "minimum": b.low, "maximum": b.high, "description": b.meaning}
                for name, b in TUNABLE.items()
                if b.rule == _NAMES.get(rule, rule)
            },
        }
        for rule in sorted(_CODES | set(_NAMES))
        if _NAMES.get(rule, rule) in {bounds.rule for bounds in TUNABLE.values()}
    },
}

Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[list[Text], BeforeValidator(_listed, json_schema_input_type=Text | list[Text])]
Arguments = Annotated[list[str], BeforeValidator(_arguments, json_schema_input_type=str | list[str])]
Pattern = Annotated[str, AfterValidator(_pattern), WithJsonSchema(_RULE)]
Patterns = Annotated[list[Pattern], BeforeValidator(_listed, json_schema_input_type=Pattern | list[Pattern])]
Rule = Annotated[str, AfterValidator(_code)]
Code = Annotated[str, AfterValidator(_expected), WithJsonSchema(_RULE)]
Codes = Annotated[list[Code], BeforeValidator(_listed, json_schema_input_type=Code | list[Code])]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
Name = Annotated[str, Field(pattern=r"^[^\W\d]\w*$")]
_NAMES_ONLY = Field(json_schema_extra={"additionalProperties": False})
T = TypeVar("T")
Several = Annotated[list[T], Field(min_length=1)]


class Waiver(_Model):
    """Findings to leave out, and why."""

    layers: Texts = []
    """Globs of layer paths, as `encoder.pos*`; a finding is left out if they cover all its layers. None is all."""
    reason: Text
    """Why; shown with --verbose."""


Waivers = Annotated[
    dict[Pattern, list[Waiver]],
    BeforeValidator(_waivers, json_schema_input_type=Pattern | list[Pattern] | dict[Pattern, Waiver | list[Waiver]]),
]


class Matrix(_Model):
    """Values to try, each with each; the names of the checks are suffixed with them."""

    seed: Several[Seed] | None = None
    dtype: Several[Text] | None = None
    device: Several[Text] | None = None
    set: Annotated[dict[Name, Several[JsonValue]], _NAMES_ONLY] = {}


class VerdictSettings(_Model):
    """What is reported, and what fails."""

    select: Patterns | None = None
    """Only these codes, prefixes or rule names. A check's own takes the place of the file's."""
    ignore: Waivers = {}
    """Rules to leave out, or `RULE: {layers: [GLOB, ...], reason: WHY}`. A check's own are added to the file's."""
    fail_on: FailOn | None = None
    """Least severity that gives exit code 1."""
    thresholds: Annotated[dict[Rule, dict[str, float]], AfterValidator(_moved), WithJsonSchema(_THRESHOLDS)] = {}
    """Numbers that a verdict turns on, as `GC206: {saturated_share: 0.99}`."""


class Limits(_Model):
    """What a check, or a run, may take."""

    try_budget: Annotated[int, Field(ge=0)] | None = None
    """Passes to try remedies with, on copies of an ill model; none are tried with 0, or if it is left out."""
    timeout: Annotated[float, Field(ge=0.001)] | None = None
    """Seconds after which it is ended."""
    max_memory: Annotated[Text, AfterValidator(_size), WithJsonSchema(_SIZE)] | None = None
    """Memory above which it is ended, as 4GB."""


class Options(Limits):
    """How to run a check."""

    batch: Text | None = None
    """file.py:NAME or a data file."""
    input: Texts | None = None
    """Made-up input, as "float32[8,3,32,32]" or "ids=int64[4,128] in 0..50257"."""
    target: Text | None = None
    """Made-up target, as "int64[8] in 0..10"."""
    target_column: Text | None = None
    """Column of a .csv batch to predict."""
    loss: Text | None = None
    """file.py:NAME or a function of torch.nn.functional."""
    step: Text | None = None
    """file.py:NAME of a function (model, batch) -> loss."""
    weights: Text | None = None
    """A .pt or .safetensors state dict."""
    set: Annotated[dict[Name, JsonValue], _NAMES_ONLY] = {}
    """Arguments for the model's class or function. A check's own are added to the defaults."""
    device: Text | None = None
    """cpu, cuda, cuda:1, mps, ..."""
    dtype: Text | None = None
    """Cast model and batch, as to bfloat16."""
    autocast: Literal["bfloat16", "float16"] | None = None
    """Run the forward pass in mixed precision."""
    seed: Seed | None = None
    """Random seed."""
    mode: Mode | None = None
    """Mode of the model; as the code left it with `keep`."""
    batches: Annotated[int, Field(ge=1)] | None = None
    """Batches to judge; 4 or more give a clipping threshold."""
    lr: Annotated[float, Field(gt=0)] | None = None
    """Learning rate, to judge the first update."""
    optimizer: Optimizer | None = None
    """Whose step `lr` means."""
    trust_pickle: bool | None = None
    """Unpickle data and weights, which runs any code that they hold."""
    drift: Annotated[float, Field(gt=0)] | None = None
    """Decades that the gradient of a layer may move from the baseline before it is reported."""
    matrix: Matrix | None = None


class SuiteEntry(VerdictSettings):
    """A check or a run of the suite."""

    name: Text | None = None
    """Unique in the suite; `model`, or `script` with its `args`, if it is left out."""
    expect: Codes = []
    """Codes of findings that it must report, for what is ill on purpose; `failed` if it must not run."""


class Check(Options, SuiteEntry):
    """One model to check."""

    model: Text
    """file.py[:NAME] or package.module[:NAME]; files are looked for from this file's folder."""


class Run(Limits, SuiteEntry):
    """One training script to run and watch, as `gradcheck run` does."""

    script: Text
    """A Python file, looked for from this file's folder; it is run in the folder where `gradcheck batch` is."""
    args: Arguments = []
    """Its arguments: a list of texts, or one text that is split as a shell does."""
    steps: Annotated[int, Field(ge=1)] | None = None
    """Diagnose this step, then stop the script; it runs to its end if it is left out."""


Runs = Annotated[list[Run], BeforeValidator(_runs, json_schema_input_type=Run | list[Run])]


class File(VerdictSettings):
    """gradcheck.yaml: models to check, and what is asked of them."""

    version: Annotated[Literal[1], BeforeValidator(_not_a_bool, json_schema_input_type=Literal[1])]
    """The version of this format."""
    defaults: Options = Options()
    """Options for every check of this file that does not set them itself; for every run, as far as it takes them."""
    checks: list[Check] = []
    """The models to check."""
    run: Runs = []
    """The training scripts to run and watch."""
    baseline: Text | None = None
    """A file of known findings, which fail no check; `gradcheck batch --update-baseline` writes it."""
    include: Texts = []
    """Globs of other files like this one, from this file's folder. Each means the same as when it is run alone."""
