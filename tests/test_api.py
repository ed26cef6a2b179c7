"""`gradcheck_cli.check`: what a person at a notebook calls; it must not be able to lie."""

from __future__ import annotations

import subprocess
import sys
import threading
from importlib import resources

import pytest
import torch
from torch import nn

import gradcheck_cli
from gradcheck_cli.errors import GradcheckError, UsageError
from gradcheck_cli.records.choices import FailOn, Optimizer
from gradcheck_cli.records.thresholds import TUNABLE
from gradcheck_cli.reports import FORMATS, Style, render


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(32, 8), torch.randint(4, (32,))


def ill() -> nn.Module:
    """A deep sigmoid net, GC201."""
    torch.manual_seed(0)
    layers = [layer for _ in range(12) for layer in (nn.Linear(8, 8), nn.Sigmoid())]
    return nn.Sequential(*layers, nn.Linear(8, 4))


def test_str_of_a_report_is_its_table() -> None:
    report = gradcheck_cli.check(ill(), batch())
    assert isinstance(report, gradcheck_cli.Report)
    assert str(report) == render(report, "table", Style(width=100))


@pytest.mark.parametrize("other", ["GC3", ("GC3",), ["GC3"], "exploding-depth", "GC3,GC4"])
def test_leaving_out_another_rule_hides_nothing(other) -> None:
    report = gradcheck_cli.check(ill(), batch(), ignore=other)
    assert not report.ok and report.hidden == 0
    assert [f.code for f in report.findings] == ["GC201"]


@pytest.mark.parametrize("own", ["GC201", "vanishing-depth", ("GC1", "gc2"), ["GC2"]])
def test_leaving_out_a_rule_is_counted(own) -> None:
    report = gradcheck_cli.check(ill(), batch(), ignore=own)
    assert report.ok and report.hidden == 1
    assert gradcheck_cli.check(ill(), batch(), select=own).findings


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"select": ("GC999",)}, "select: no rule is called `GC999`"),
        ({"select": "vanishing"}, "select: no rule is called `vanishing`; did you mean `vanishing-"),
        ({"ignore": "GC2 GC3"}, "ignore: no rule is called `GC2 GC3`"),
        ({"fail_on": "errors"}, "fail_on: 'errors' is none of `error`, `warning`, `never`; did you mean `error`?"),
        ({"fail_on": None}, "fail_on: None is none of"),
        ({"optimizer": "adamv"}, "optimizer: 'adamv' is none of `sgd`, `adam`, `adamw`; did you mean `adam"),
        ({"lr": -1}, "lr: -1 is not a number above 0"),
        ({"lr": float("nan")}, "lr: nan is not a number above 0"),
        ({"lr": "0.1"}, "lr: '0.1' is not a number above 0"),
        ({"seed": -1}, "seed: -1 is not a whole number"),
        ({"seed": 1.5}, "seed: 1.5 is not a whole number"),
        ({"try_budget": -3}, "try_budget: -3 is not a whole number from 0"),
    ],
)
def test_a_wrong_value_is_a_usage_error(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        gradcheck_cli.check(ill(), batch(), **wrong)
    assert caught.value.message.startswith(told)
    assert isinstance(caught.value, GradcheckError) and caught.value.hint


def test_members_and_their_values_are_one() -> None:
    named = gradcheck_cli.check(ill(), batch(), fail_on="never", optimizer="adam", lr=1e-3)
    meant = gradcheck_cli.check(ill(), batch(), fail_on=FailOn.NEVER, optimizer=Optimizer.ADAM, lr=1)
    assert named.ok and meant.ok


def test_the_package_is_typed() -> None:
    assert resources.files("gradcheck_cli").joinpath("py.typed").is_file()


def test_importing_it_imports_no_torch() -> None:
    code = "import sys, gradcheck_cli; assert 'torch' not in sys.modules; gradcheck_cli.Report"
    subprocess.run([sys.executable, "-c", code], check=True)


# -- what the command line has, too


def test_a_waiver_hides_the_layers_that_it_names() -> None:
    waiver = {"layers": ["*"], "reason": "a toy"}
    report = gradcheck_cli.check(ill(), batch(), ignore={"GC201": waiver})
    assert report.ok and [(each.code, each.reason) for each in report.waived] == [("GC201", "a toy")]
    assert not gradcheck_cli.check(ill(), batch(), ignore={"GC201": {"layers": ["head*"], "reason": "no"}}).ok


def test_a_mapping_without_a_reason_is_refused() -> None:
    with pytest.raises(UsageError, match="reason"):
        gradcheck_cli.check(ill(), batch(), ignore={"GC201": ["0"]})


def test_thresholds_are_those_of_gradcheck_yaml() -> None:
    name, bounds = next((n, b) for n, b in TUNABLE.items() if b.rule == "GC206")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.Sigmoid(), nn.Linear(32, 4))
    nn.init.normal_(model[0].weight, std=1.0)
    codes = [
        {f.code for f in gradcheck_cli.check(model, batch(), thresholds={"GC206": {name: number}}).findings}
        for number in (bounds.low, bounds.high)
    ]
    assert codes[0] != codes[1]


@pytest.mark.parametrize("wrong", [{"GC206": {"no": 1}}, {"GC999": {}}, {"GC206": {"saturated_share": 7}}])
def test_a_threshold_that_there_is_not_is_refused(wrong) -> None:
    with pytest.raises(UsageError, match="thresholds"):
        gradcheck_cli.check(ill(), batch(), thresholds=wrong)


def test_autocast_is_a_name_or_a_dtype() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    one, other = (gradcheck_cli.check(model, batch(), autocast=how) for how in ("bfloat16", torch.bfloat16))
    assert one.loss == other.loss != gradcheck_cli.check(model, batch()).loss
    with pytest.raises(UsageError, match="autocast: 'float8' is none of `bfloat16`, `float16`"):
        gradcheck_cli.check(model, batch(), autocast="float8")


def test_several_batches_are_judged() -> None:
    x, y = batch()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=8)
    report = gradcheck_cli.check(ill(), loader, batches=3)
    assert "3 batches" in str(report) or any("3 batches" in note for note in report.notes)
    with pytest.raises(UsageError, match="batches: 0 is not a whole number"):
        gradcheck_cli.check(ill(), loader, batches=0)


def test_on_another_device_a_copy_is_checked() -> None:
    model = ill()
    before = [p.data_ptr() for p in model.parameters()]
    report = gradcheck_cli.check(model, batch(), device="cpu", loss=nn.CrossEntropyLoss(weight=torch.ones(4)))
    assert [f.code for f in report.findings] == ["GC201"]
    assert [p.data_ptr() for p in model.parameters()] == before
    with pytest.raises(GradcheckError, match="does not know it"):
        gradcheck_cli.check(model, batch(), device="nowhere")


def test_a_model_that_cannot_be_copied_cannot_go_to_another_device() -> None:
    model = ill()
    model.lock = threading.Lock()
    with pytest.raises(GradcheckError, match="device: the model cannot be copied"):
        gradcheck_cli.check(model, batch(), device="cpu")


def test_a_fault_of_ours_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcheck_cli.pipeline.examine", lambda *args: 1 / 0)
    with pytest.raises(gradcheck_cli.InternalError, match="ZeroDivisionError") as raised:
        gradcheck_cli.check(ill(), batch())
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


# -- shown, saved, and read again


def test_a_notebook_shows_the_table_in_colour() -> None:
    html = gradcheck_cli.check(ill(), batch())._repr_html_()
    assert html.startswith("<pre") and "GC201" in html and "color: #" in html and "<script" not in html


def test_names_of_the_user_are_no_markup_in_a_notebook() -> None:
    html = gradcheck_cli.check(ill(), batch(), name="<img src=x onerror=alert(1)>[red]")._repr_html_()
    assert "<img" not in html and "[red]" in html


def test_a_saved_report_is_read_again(tmp_path) -> None:
    report = gradcheck_cli.check(ill(), batch())
    path = tmp_path / "report.json"
    path.write_text(gradcheck_cli.render(report, "json"))
    again = gradcheck_cli.load_report(path)
    assert isinstance(again, gradcheck_cli.Report)
    assert gradcheck_cli.render(again, "json") == gradcheck_cli.render(report, "json")
    path.write_text('{"schema": "gradcheck-suite/1", "checks": []}')
    with pytest.raises(gradcheck_cli.ReportError, match="holds a suite"):
        gradcheck_cli.load_report(path)


def test_every_format_is_rendered_and_no_other() -> None:
    report = gradcheck_cli.check(ill(), batch())
    for format in FORMATS:
        assert "GC201" in gradcheck_cli.render(report, format)
    with pytest.raises(UsageError, match="did you mean `html`"):
        gradcheck_cli.render(report, "htm")


def test_every_public_name_is_there_and_documented() -> None:
    assert set(dir(gradcheck_cli)) == set(gradcheck_cli.__all__)
    for name in gradcheck_cli.__all__:
        assert getattr(gradcheck_cli, name).__doc__
