"""Hand-written reports: what a check of these models would say."""

import math
from collections.abc import Callable
from dataclasses import replace

from gradcheck_cli.records.choices import Family, Severity, Status
from gradcheck_cli.records.report import Finding, Layer, Remedy, Report, Share, Trial
from gradcheck_cli.records.series import Series
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.suite import SuiteReport

VERSIONS = {"gradcheck": "0.1.0", "torch": "2.9.0", "python": "3.12.3"}
RELU = Remedy(
    id="relu",
    title="ReLU in place of sigmoid",
    detail="Its slope is 1 where it is active, so depth costs nothing.",
    code="self.act = nn.ReLU()",
    trial=Trial(outcome="fixed", before=-8.5, after=-1.9, unit="decades"),
)
INIT = Remedy(
    id="init",
    title="He initialisation",
    detail="It keeps the variance from layer to layer.",
    code='nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")',
    trial=Trial(outcome="helps", before=-8.5, after=-6.0, unit="decades"),
)
NORMALIZATION = Remedy(
    id="normalization",
    title="LayerNorm before each sigmoid",
    detail="It keeps inputs near 0.",
    code="nn.LayerNorm(64)",
)
RESIDUAL = Remedy(id="residual", title="Identity path around each block", detail="Gradients pass it whole.")


def layer(path: str, decades: float | None, status: str = "ok", kind: str = "Linear", nan_count: int = 0) -> Layer:
    norm = None if decades is None else 10.0**decades
    return Layer(
        path=path,
        kind=kind,
        parameters=4160,
        grad_norm=norm,
        grad_rms=None if norm is None else norm / 64.5,
        grad_max=norm,
        zero_share=0.0,
        nan_count=nan_count,
        inf_count=0,
        weight_norm=4.6,
        relative_gradient=None if norm is None else norm / 4.6,
        elasticity=None if norm is None else norm * 2,
        decades=decades,
        activation_rms=0.5,
        stream=norm,
        by_kind={} if decades is None else {"activation": decades * 0.8, "weight": decades * 0.2},
        status=status,
        source=SourceLine(file="deep_sigmoid.py", line=9, code="nn.Linear(64, 64)"),
    )


def _range(layers: tuple[str, ...]) -> str:
    if len(layers) == 1:
        return f"`{layers[0]}` learns"
    return f"`{layers[0]}` .. `{layers[-1]}` ({len(layers)} layers) learn"


_LINE = SourceLine(file="deep_sigmoid.py", line=14, code="    x = torch.sigmoid(layer(x))")
SHARES = (
    Share(kind="sigmoid slope", where="`(Deep)`", source=_LINE, decades=-6.1, count=10),
    Share(kind="weight", where="`layers.0` .. `layers.9` (10 layers)", source=_LINE, decades=-1.4, count=10),
    Share(kind="shared", where="", source=None, decades=-0.9, count=2),
    Share(kind="mse_loss", where="`(Deep)`", source=None, decades=0.2, count=1),
    Share(kind="elsewhere", where="", source=None, decades=-0.3, count=4),
)


def finding(layers: tuple[str, ...], **changes: object) -> Finding:
    fields = {
        "code": "GC201",
        "rule": "vanishing-depth",
        "family": Family.VANISHING,
        "severity": Severity.ERROR,
        "layers": layers,
        "cause": "saturating-activation",
        "message": f"{_range(layers)} up to about 2e8 times slower than the typical layer",
        "why": f"the gradient loses 8.4 decades (powers of ten) between the loss and `{layers[0]}`: 6.1 in 10 sigmoid "
        "slopes (mean slope 0.243), 1.4 in 11 weights and 0.9 in the loss",
        "op": "SigmoidBackward0",
        "source": SourceLine(file="deep_sigmoid.py", line=14, code="    x = torch.sigmoid(layer(x))"),
        "evidence": {"decades": -8.5, "decades_behind_typical": -8.3, "layers": 6},
        "remedies": (RELU, INIT, NORMALIZATION, RESIDUAL),
    }
    return Finding(**{**fields, **changes})  # type: ignore[arg-type]


def report(**changes: object) -> Report:
    fields = {
        "name": "deep_sigmoid.py:build_model",
        "status": Status.HEALTHY,
        "exit_code": 0,
        "loss": 2.3058123,
        "loss_source": "guessed: cross_entropy",
        "target": {"model": "Deep", "picked": ["model: build_model", "batch: make_batch"], "batch_size": 64},
        "versions": VERSIONS,
        "seconds": {"load": 0.512, "forward": 0.021, "total": 0.6},
    }
    return Report(**{**fields, **changes})  # type: ignore[arg-type]


def healthy() -> Report:
    return report(name="good.py", layers=tuple(layer(f"layers.{i}", -0.1 * (12 - i)) for i in range(12)))


def vanishing() -> Report:
    sick = tuple(layer(f"layers.{i}", -8.5 + i * 0.9, "GC201") for i in range(6))
    well = tuple(layer(f"layers.{i}", -8.5 + i * 0.9) for i in range(6, 10))
    names = tuple(one.path for one in sick)
    return report(
        status=Status.ILL,
        exit_code=1,
        layers=(*sick, *well, layer("head", -0.11)),
        findings=(finding(names, shares=SHARES),),
    )


def nan() -> Report:
    layers = tuple(layer(f"encoder.{i}", None, "GC101", nan_count=4160) for i in range(3))
    origin = finding(
        ("encoder.0", "encoder.1", "encoder.2"),
        code="GC101",
        rule="nonfinite-origin",
        family=Family.NONFINITE,
        cause="log-zero",
        message="the loss is NaN: log puts out Inf at 3 of 640 elements, and is the first op to do so",
        why="a logarithm is -Inf at 0, and its slope Inf: its input is from 0 to 1 (64x10 float32)",
        op="log",
        source=SourceLine(file="loss.py", line=31, code="return -(target * p.log()).mean()"),
        evidence={"smallest": 0.0, "largest": math.inf, "produced": "inf"},
        remedies=(
            Remedy(
                id="log-softmax",
                title="log_softmax on the logits",
                detail="It never takes the log of 0.",
                code="F.log_softmax(logits, dim=-1)",
            ),
        ),
    )
    unused = finding(
        ("encoder.pooler",),
        code="GC402",
        rule="unused",
        severity=Severity.NOTE,
        message="`encoder.pooler` ran, but the output does not reach the loss",
        why="its output reaches no op that the loss depends on",
        remedies=(),
        source=None,
    )
    return report(
        name="nan.py",
        status=Status.ILL,
        exit_code=1,
        loss=math.nan,
        layers=(*layers, layer("encoder.pooler", None, "unused")),
        findings=(unused, origin),
        notes=("2 of 8 samples were left out of the loss",),
    )


def recurrent() -> Report:
    norms = tuple(10.0 ** (-0.25 * (59 - step)) for step in range(60))
    series = Series(parameter=1, steps=60, norms=norms, carry=(0.56,) * 59, horizon=9, attenuation=-0.25)
    decay = finding(
        ("rnn",),
        code="GC202",
        rule="vanishing-time",
        severity=Severity.WARNING,
        cause="bptt-decay",
        message="`rnn` forgets: of its 60 steps, those more than 9 back get under 1 % of what the strongest gets",
        why="each step back keeps 56 % of the gradient",
        source=SourceLine(file="pixel_rnn.py", line=20, code="_, h = self.rnn(x)"),
    )
    layers = (layer("rnn", -0.6, "GC202", kind="RNN"), layer("head", -0.1))
    other = finding(
        ("head",),
        code="GC601",
        rule="loss-scale",
        severity=Severity.WARNING,
        message="the loss is 9000 times too large",
        source=None,
    )
    return report(
        name="pixel_rnn.py",
        status=Status.ILL,
        exit_code=1,
        layers=layers,
        findings=(decay, other),
        series=(series, Series(parameter=2, steps=60, norms=norms, carry=(), horizon=9, attenuation=-0.25)),
    )


def failed() -> Report:
    return report(
        name="broken_shape.py",
        status=Status.FAILED,
        exit_code=2,
        loss=None,
        loss_source="",
        error="the model raised RuntimeError: mat1 and mat2 shapes cannot be multiplied (64x32 and 64x10)\n"
        "broken_shape.py:17 in forward: return self.head(x)",
    )


def hostile() -> Report:
    paths = (
        "[red]",
        "[/b]",
        "\x1b[31mred\x1b[0m",
        "слой.0",
        "層.1",
        "\u202eevil",
        "a\nb",
        "\udc80",
        "[link=x]",
        "",
    )
    layers = tuple(layer(path, -8.0, "GC201", kind="[bold]Net") for path in paths)
    remedy = Remedy(id="x", title="[red]", detail="[/b]\x07", code="[/]\n\x1b[2J")
    ill = finding(
        paths,
        message="[/b] and \x1b[2J and [red]",
        why="[/]",
        remedies=(remedy,),
        source=SourceLine(file="[/x].py", line=1, code="\tx['[red]'] = \x1b"),
    )
    return report(
        name="[/b]\x1b]0;title\x07",
        status=Status.ILL,
        exit_code=1,
        layers=layers,
        findings=(ill,),
        notes=("[/note]",),
    )


def deep() -> Report:
    layers = tuple(
        layer(f"backbone.stage{i // 50}.blocks.{i % 50}.conv", -0.1 * (200 - i), "GC201" if i < 60 else "ok")
        for i in range(200)
    )
    names = tuple(one.path for one in layers if one.status == "GC201")
    return report(name="deep.py", status=Status.ILL, exit_code=1, layers=layers, findings=(finding(names),))


def unknown() -> Report:
    return report(name="frozen.py", status=Status.UNKNOWN, layers=(layer("backbone", None, "frozen"),))


EXAMPLES = {
    "healthy": healthy,
    "vanishing": vanishing,
    "nan": nan,
    "recurrent": recurrent,
    "failed": failed,
    "hostile": hostile,
    "deep": deep,
    "unknown": unknown,
}


def named(name: str, make: Callable[[], Report], **changes: object) -> Report:
    return replace(make(), name=name, **changes)  # type: ignore[arg-type]


def suite_of(*checks: Report, **changes: object) -> SuiteReport:
    code = max((one.exit_code for one in checks), default=0)
    fields = {"name": "gradcheck.yaml", "checks": checks, "exit_code": code, "seconds": 4.2}
    return SuiteReport(**{**fields, **changes})  # type: ignore[arg-type]


def well() -> SuiteReport:
    return suite_of(named("mlp", healthy), named("vit[seed=1]", healthy), named("frozen", unknown))


def mixed() -> SuiteReport:
    crashed = "killed by SIGSEGV after 3.1 s\nlast output:\n  loading weights\n  Segmentation fault"
    return suite_of(
        named("mlp", healthy),
        named("deep_sigmoid[depth=11, dtype=bfloat16, seed=1]", vanishing),
        named("old_rnn", recurrent, exit_code=0, notes=("ill, as expected",)),
        named("native_op", failed, error=crashed),
        named("log_loss", nan),
        named("sick_sample", healthy, exit_code=1, notes=("expected, but not found: `GC201`",)),
        named("frozen", unknown),
        seconds=72.0,
    )


def hostile_suite() -> SuiteReport:
    return suite_of(hostile(), named("a\nb|`]]>::error::</script>", failed), name="[/b]\x1b[2J")


SUITES = {"well": well, "mixed": mixed, "hostile": hostile_suite, "empty": suite_of}
