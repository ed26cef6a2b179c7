"""The recipes of CONTRIBUTING.md as changes to carry out: what is edited, what is new, and what then holds."""

from __future__ import annotations

from dataclasses import dataclass

END = ""
"""An anchor: the end of the file."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One recipe, carried out once.

    Attributes:
        heading: Its heading in CONTRIBUTING.md.
        edits: By file of the package, texts that stand there once, each with what takes its place.
        module: A new file of the package and what it holds.
        beside: New files besides: tests, and the example of a rule.
        tests: What pytest runs.
        holds: Python that only runs through with the change.
    """

    heading: str
    edits: dict[str, dict[str, str]]
    module: dict[str, str]
    beside: dict[str, str]
    tests: str
    holds: str

    @property
    def files(self) -> set[str]:
        """The files of the package that it touches."""
        return {f"gradcheck_cli/{name}" for name in (*self.edits, *self.module)}


_CONFIG = """
from pathlib import Path
from gradcheck_cli.config import load_policy
Path("some.yaml").write_text("version: 1\\nthresholds: {GC204: {one_hot_share: 0.9}}\\n")
assert load_policy(Path("some.yaml"), {})["thresholds"].one_hot_share == 0.9
"""
THRESHOLD = Recipe(
    heading="A threshold that users may move",
    edits={
        "records/thresholds.py": {
            'one_hot_share: float = _fixed(\n        "GC204",': 'one_hot_share: float = _movable(\n        "GC204",',
            'models, from 0.8 in ill ones.",\n    )\n    one_hot_rest': (
                'models, from 0.8 in ill ones.",\n        low=0.1,\n        high=1.0,\n    )\n    one_hot_rest'
            ),
        }
    },
    module={},
    beside={},
    tests="tests/records/test_thresholds.py tests/config/test_schema.py tests/cli/test_rule.py",
    holds=_CONFIG,
)

_RULE = '''

def zero_weights(evidence: Evidence) -> Diagnoses:
    """All weights of a layer are exactly 0.

    It puts out its bias whatever comes in, and hands no gradient on to what lies below it.
    """
    for layer in evidence.layers.values():
        if layer.weight_norm == 0 and layer.grad_norm:
            yield Diagnosis(
                layers=(layer.path,),
                cause="small-init",
                message=f"all weights of `{layer.path}` are 0",
                why=f"the norm of its {layer.parameters} parameters is 0",
            )
'''
_RULE_TEST = '''"""A layer whose weights are all 0."""

import torch
from torch import nn

from gradcheck_cli import check


def found(weight: float) -> list[str]:
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    for parameter in model[2].parameters():
        nn.init.constant_(parameter, weight)
    report = check(model, (torch.randn(6, 4), torch.arange(6) % 3), loss="cross_entropy")
    return [finding.code for finding in report.findings]


def test_it_is_found_where_all_are_zero() -> None:
    assert "GC221" in found(0.0)
    assert "GC221" not in found(0.1)
'''
_RULE_EXAMPLE = """# gradcheck check GC221.py --no-try
import torch
from torch import nn

model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
for parameter in model[2].parameters():
    nn.init.zeros_(parameter)
batch = torch.randn(64, 8), torch.arange(64) % 4
loss = nn.functional.cross_entropy
"""
RULE = Recipe(
    heading="A rule",
    edits={
        "rules/dynamics.py": {END: _RULE},
        "rules/ruletable.py": {
            '    _rule("GC217", "unscaled-inputs",': (
                '    _rule("GC221", "zero-weights", _WARNING, "small-init", dynamics.zero_weights),\n'
                '    _rule("GC217", "unscaled-inputs",'
            )
        },
    },
    module={},
    beside={"tests/rules/test_zero_weights.py": _RULE_TEST, "docs/examples/GC221.py": _RULE_EXAMPLE},
    tests="tests/rules/test_ruletable.py tests/rules/test_zero_weights.py tests/cli/test_rule.py",
    holds="from gradcheck_cli.rules import BY_CODE; assert BY_CODE['GC221'].explanation.startswith('All weights')",
)

_LAST = """        causes="target-scale:2 loss-scale:2 sum-aggregation:1",
        tried=TrialKind.EDIT,
    ),
"""
_REMEDY = """    remedy(
        "fresh-init",
        "draw the weights anew",
        "A checkpoint may hold weights that no signal passes; drawn for the activation in use, each layer keeps it.",
        "model.apply(reset)  # reset: each layer's own reset_parameters()",
        unless="where what the weights have learned is wanted",
        source="He et al. 2015, arXiv:1502.01852",
        causes="small-init:9",
        tried=TrialKind.EDIT,
    ),
"""
_PLAN = '''def fresh_init(context: PlanningContext) -> Plan:
    """Every weight drawn anew, whatever it was."""
    return Plan(edits=drawn(context, set()))


PLANS: Mapping['''
_REMEDY_TEST = """from gradcheck_cli.remedies import remedies_for
from gradcheck_cli.trials.layerplans import PLANS, init
from tests.trials.test_remedyplans import small  # noqa: F401 - a fixture


def test_it_is_shown_and_drawn_as_init_is(small) -> None:  # noqa: F811
    assert "fresh-init" in [remedy.id for remedy in remedies_for("small-init")]
    assert PLANS["fresh-init"](small) == init(small)
"""
REMEDY = Recipe(
    heading="A remedy",
    edits={
        "remedies/model.py": {_LAST: _LAST + _REMEDY},
        "trials/layerplans.py": {
            "PLANS: Mapping[": _PLAN,
            '    "init": init,\n': '    "init": init,\n    "fresh-init": fresh_init,\n',
        },
    },
    module={},
    beside={"tests/trials/test_fresh_init.py": _REMEDY_TEST},
    tests="tests/remedies/test_catalogue.py tests/trials/test_remedyplans.py tests/trials/test_fresh_init.py",
    holds="from gradcheck_cli.remedies import ROWS; assert ROWS['fresh-init'].causes == {'small-init': 9}",
)

_FORMAT = '''"""A line a finding, for other programs: the check, the code and the message, with tabs between them."""

from __future__ import annotations

from gradcheck_cli.records.report import Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.records.timeline import Timeline
from gradcheck_cli.reports.glyphs import shown
from gradcheck_cli.reports.plain import suite_of_one
from gradcheck_cli.reports.runreport import run_report
from gradcheck_cli.reports.style import Style


def render_report(report: Report, style: Style) -> str:
    """The lines of one check."""
    return render_suite(suite_of_one(report), style)


def render_suite(suite: SuiteReport, style: Style) -> str:
    """The lines of every check."""
    rows = [(check.name, each.code, each.message) for check in suite.checks for each in check.findings]
    return "\\n".join(["check\\tcode\\tmessage", *("\\t".join(map(shown, row)) for row in rows), ""])


def render_run(run: Timeline, style: Style) -> str:
    """The lines of a run."""
    return render_report(run_report(run), style)
'''
_FORMAT_TEST = '''"""A line a finding."""

from gradcheck_cli.reports import render
from tests.reports.examples import hostile, vanishing


def test_a_finding_is_a_line_whatever_it_says() -> None:
    assert render(vanishing(), "lines").splitlines()[1].split("\\t")[:2] == ["deep_sigmoid.py:build_model", "GC201"]
    assert all(line.count("\\t") == 2 for line in render(hostile(), "lines").splitlines())
'''
FORMAT = Recipe(
    heading="An output format",
    edits={
        "reports/__init__.py": {
            '    "sarif": Format(': (
                '    "lines": Format(report="lines:render_report", suite="lines:render_suite", '
                'run="lines:render_run"),\n'
                '    "sarif": Format('
            )
        }
    },
    module={"reports/lines.py": _FORMAT},
    beside={"tests/reports/test_lines.py": _FORMAT_TEST},
    tests="tests/reports/test_lines.py tests/records/test_documents.py tests/cli/test_show.py",
    holds="""
from gradcheck_cli.cli import run
assert run(["check", "docs/examples/GC101.py", "--in-process", "--format", "lines"]) == 1
""",
)

_READER = '''

def read_txt(path: str) -> torch.Tensor:
    """Return the numbers of a text file, a row a line.

    Raises:
        TargetError: The file cannot be read, or holds other text.
    """
    try:
        return to_tensor(np.loadtxt(located(path), ndmin=2), path)
    except (OSError, ValueError) as exc:
        hint = "Write rows of numbers with spaces between them."
        raise TargetError(f"{path} is no table of numbers: {message_of(exc)}", hint=hint) from exc
'''
_ROW = """def _text(spec: CheckSpec, path: str, model: nn.Module) -> _Batches:
    return _rows(read_txt(path), spec.batches, path)


READERS: Mapping["""
_KIND_TEST = '''"""Batches from a text file."""

import pytest
from torch import nn

from gradcheck_cli.errors import TargetError
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.target.data.arrays import file_batches


def test_rows_of_numbers_are_a_batch(tmp_path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("1 2 3\\n4 5 6\\n")
    (batch,), _ = file_batches(CheckSpec(model="m.py"), str(path), nn.Linear(3, 1))
    assert batch.tolist() == [[1, 2, 3], [4, 5, 6]]
    path.write_text("1 2 three\\n")
    with pytest.raises(TargetError, match="no table of numbers"):
        file_batches(CheckSpec(model="m.py"), str(path), nn.Linear(3, 1))
'''
KIND = Recipe(
    heading="A kind of file that a batch is read from",
    edits={
        "suffixes.py": {"SAFETENSORS, CSV)\nWEIGHTS": 'SAFETENSORS, CSV, ".txt")\nWEIGHTS'},
        "target/data/storage.py": {END: _READER},
        "target/data/arrays.py": {
            "import read_npy, read_npz, read_pt, read_safetensors": (
                "import read_npy, read_npz, read_pt, read_safetensors, read_txt"
            ),
            "READERS: Mapping[": _ROW,
            "    CSV: _table,\n": '    CSV: _table,\n    ".txt": _text,\n',
        },
    },
    module={},
    beside={"tests/target/data/test_text.py": _KIND_TEST},
    tests="tests/target/data/test_arrays.py tests/target/data/test_text.py tests/target/code/test_references.py",
    holds="""
from pathlib import Path
from gradcheck_cli.cli import run
Path("net.py").write_text("from torch import nn\\nmodel = nn.Linear(3, 1)\\n")
Path("x.txt").write_text("1 2 3\\n4 5 6\\n")
assert run(["check", "net.py", "--batch", "x.txt", "--in-process"]) in (0, 1)
""",
)
RECIPES = [(THRESHOLD, 1), (RULE, 2), (REMEDY, 2), (FORMAT, 2), (KIND, 3)]
"""Each with the number of files of the package that it touches."""
