"""Defaults, the matrix, the command line and paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradcheck_cli.config import load_config
from gradcheck_cli.records.choices import FailOn, Mode, Optimizer
from gradcheck_cli.records.run import RunOptions
from gradcheck_cli.records.spec import CheckSpec, RuleWaiver
from gradcheck_cli.records.suite import PlannedCheck
from gradcheck_cli.records.thresholds import Thresholds
from gradcheck_cli.target.code.settings import parse_settings


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def load(text: str, **overrides: object) -> tuple[PlannedCheck, ...]:
        Path("gradcheck.yaml").write_text("version: 1\n" + text, encoding="utf-8")
        return load_config(Path("gradcheck.yaml"), overrides)

    return load


def test_a_bare_check_is_what_the_command_line_would_do(plan) -> None:
    assert plan("checks: [{model: a.py}]") == (PlannedCheck(name="a.py", spec=CheckSpec(model="a.py")),)


def test_every_option_arrives(plan) -> None:
    (check,) = plan(
        """
checks:
  - model: "a.py:Net"
    name: full
    batch: data.npz
    input: "float32[8,3]"
    target: "int64[8] in 0..10"
    target_column: price
    loss: losses.py:focal
    step: steps.py:step
    weights: w.safetensors
    set: {depth: 4}
    device: cuda
    dtype: bfloat16
    autocast: float16
    seed: 7
    mode: eval
    batches: 4
    lr: 1e-7
    optimizer: adamw
    select: [GC1, vanishing-depth]
    ignore: [GC6]
    fail_on: never
    thresholds: {dead-activation: {dead_share: 1}}
    trust_pickle: true
    timeout: 30
    max_memory: 1.5GB
    drift: 2
    expect: [vanishing-depth, GC101]
"""
    )
    assert check == PlannedCheck(
        name="full",
        timeout=30.0,
        max_memory=1_500_000_000,
        drift=2.0,
        expect=("GC201", "GC101"),
        spec=CheckSpec(
            model="a.py:Net",
            batch="data.npz",
            inputs=("float32[8,3]",),
            target="int64[8] in 0..10",
            target_column="price",
            loss="losses.py:focal",
            step="steps.py:step",
            weights="w.safetensors",
            settings=(("depth", "4"),),
            device="cuda",
            dtype="bfloat16",
            autocast="float16",
            seed=7,
            mode=Mode.EVAL,
            batches=4,
            lr=1e-7,
            optimizer=Optimizer.ADAMW,
            select=("GC1", "vanishing-depth"),
            ignore=("GC6",),
            fail_on=FailOn.NEVER,
            thresholds=Thresholds(dead_share=1.0),
            trust_pickle=True,
        ),
    )


def test_a_baseline_is_found_from_its_file_and_the_command_line_goes_before_all_that(plan, tmp_path: Path) -> None:
    text = "baseline: sub/known.json\ndefaults: {drift: 1, max_memory: 1GB}\nchecks: [{model: a.py}]"
    (check,) = plan(text)
    assert (check.baseline, check.drift, check.max_memory) == ("sub/known.json", 1.0, 10**9)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.yaml").write_text("version: 1\n" + text)
    assert load_config(Path("sub/x.yaml"), {})[0].baseline == "sub/sub/known.json"
    (check,) = plan(text, baseline="mine.json", drift=3.0, max_memory=7, timeout=1.0)
    assert (check.baseline, check.drift, check.max_memory, check.timeout) == ("mine.json", 3.0, 7, 1.0)


def test_a_check_goes_before_the_defaults_and_set_is_merged(plan) -> None:
    first, second = plan(
        "defaults: {seed: 1, lr: 0.1, set: {a: 1, b: 2}}\nchecks: [{model: a.py, seed: 2, set: {b: 3}}, {model: b.py}]"
    )
    assert (first.spec.seed, first.spec.lr, first.spec.settings) == (2, 0.1, (("a", "1"), ("b", "3")))
    assert (second.spec.seed, second.spec.settings) == (1, (("a", "1"), ("b", "2")))


@pytest.mark.parametrize("value", ["1e-7", "8", "true", "null", "[1, 2]", "relu", '"12"', '"no"', "yes", "{a: 1.5}"])
def test_a_setting_reaches_the_model_as_yaml_says(plan, value: str) -> None:
    expected = {"1e-7": 1e-7, "8": 8, "true": True, "null": None, "[1, 2]": [1, 2], "{a: 1.5}": {"a": 1.5}}
    (check,) = plan(f"checks: [{{model: a.py, set: {{x: {value}}}}}]")
    assert parse_settings(check.spec.settings) == {"x": expected.get(value, value.strip('"'))}


def test_the_matrix_multiplies_and_names(plan) -> None:
    checks = plan("checks: [{model: a.py, name: a, set: {k: 1}, matrix: {seed: [0, 1], set: {act: [relu, tanh]}}}]")
    assert [check.name for check in checks] == [
        "a[seed=0,act=relu]",
        "a[seed=0,act=tanh]",
        "a[seed=1,act=relu]",
        "a[seed=1,act=tanh]",
    ]
    assert checks[3].spec.seed == 1
    assert parse_settings(checks[3].spec.settings) == {"k": 1, "act": "tanh"}


def test_the_command_line_wins_over_check_default_and_matrix(plan) -> None:
    text = "defaults: {device: cuda}\nchecks: [{model: a.py, lr: 0.1, set: {k: 1}, matrix: {seed: [0, 1]}}]"
    (check,) = plan(text, seed=5, device="cpu", lr=0.2, settings=(("k", "2"),), timeout=3.0, dtype=None)
    assert check.name == "a.py"
    assert check.timeout == 3.0
    assert check.spec == CheckSpec(model="a.py", seed=5, device="cpu", lr=0.2, settings=(("k", "2"),))


def test_select_and_ignore_on_three_levels(plan) -> None:
    text = "select: GC2\nignore: GC211\nchecks: [{model: a.py, ignore: GC6}, {model: b.py, select: GC1}]"
    first, second = plan(text)
    assert (first.spec.select, first.spec.ignore) == (("GC2",), ("GC211", "GC6"))
    assert (second.spec.select, second.spec.ignore) == (("GC1",), ("GC211",))
    first, _ = plan(text, ignore=("GC4",))
    assert (first.spec.select, first.spec.ignore) == (("GC2",), ("GC211", "GC6", "GC4"))
    first, _ = plan(text, select=("GC211",))
    assert (first.spec.select, first.spec.ignore) == (("GC211",), ())


def test_waivers_keep_their_layers_and_reasons(plan) -> None:
    (check,) = plan(
        """
ignore:
  GC401: {layers: encoder.pos*, reason: fixed table}
  GC6: {reason: told elsewhere}
checks:
  - model: a.py
    ignore: {GC401: [{layers: [head], reason: probe}]}
"""
    )
    assert check.spec.ignore == ()
    assert check.spec.waivers == (
        RuleWaiver(rule="GC401", layers=("encoder.pos*",), reason="fixed table"),
        RuleWaiver(rule="GC6", reason="told elsewhere"),
        RuleWaiver(rule="GC401", layers=("head",), reason="probe"),
    )


def test_thresholds_of_a_check_go_before_those_of_the_file(plan) -> None:
    (check,) = plan(
        "thresholds: {GC601: {largest_update: 0.5}, GC206: {saturated_share: 0.8}}\n"
        "checks: [{model: a.py, thresholds: {GC206: {saturated_share: 0.9}}}]"
    )
    assert check.spec.thresholds == Thresholds(largest_update=0.5, saturated_share=0.9)


def test_paths_start_at_the_file_and_names_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    file = tmp_path / "models" / "gradcheck.yaml"
    file.write_text(
        "version: 1\nchecks:\n  - {model: 'sub/a.py:Net', loss: mse_loss, batch: ../data.npz}\n"
        "  - {model: 'package.nets:Net', step: 'steps.py:run', weights: /w/x.pt}\n"
    )
    monkeypatch.chdir(tmp_path)
    first, second = load_config(file, {})
    assert (first.spec.model, first.spec.loss, first.spec.batch) == ("models/sub/a.py:Net", "mse_loss", "data.npz")
    assert (second.spec.model, second.spec.step, second.spec.weights) == (
        "package.nets:Net",
        "models/steps.py:run",
        "/w/x.pt",
    )
    monkeypatch.chdir(tmp_path / "models")
    assert load_config(Path("gradcheck.yaml"), {})[0].spec.batch == str(tmp_path / "data.npz")


def test_a_bare_run_is_what_the_command_line_would_do(plan) -> None:
    bare = PlannedCheck(name="a.py", spec=RunOptions(command=("a.py",)))
    assert plan("run: {script: a.py}") == plan("defaults: {try_budget: null}\nrun: {script: a.py}") == (bare,)


def test_every_option_of_a_run_arrives(plan) -> None:
    check, run = plan(
        """
fail_on: error
ignore: [GC6]
baseline: known.json
checks: [{model: a.py}]
run:
  - script: train.py
    name: full
    args: --lr 1e-3 --name 'a b'
    steps: 20
    select: [GC1, vanishing-depth]
    ignore: {GC401: {layers: x, reason: why}}
    fail_on: never
    thresholds: {dead-activation: {dead_share: 1}}
    try_budget: 7
    timeout: 30
    max_memory: 1.5GB
    expect: [nonfinite, GC101]
"""
    )
    assert isinstance(check.spec, CheckSpec)
    assert run == PlannedCheck(
        name="full",
        timeout=30.0,
        max_memory=1_500_000_000,
        expect=("GC630", "GC101"),
        baseline="known.json",
        spec=RunOptions(
            command=("train.py", "--lr", "1e-3", "--name", "a b"),
            steps=20,
            try_budget=7,
            select=("GC1", "vanishing-depth"),
            ignore=("GC6",),
            waivers=(RuleWaiver(rule="GC401", layers=("x",), reason="why"),),
            fail_on=FailOn.NEVER,
            thresholds=Thresholds(dead_share=1.0),
        ),
    )


def test_the_limits_of_the_defaults_and_of_the_command_line_hold_for_a_run(plan) -> None:
    text = "defaults: {timeout: 5, max_memory: 1GB, try_budget: 9, lr: 0.1, drift: 1}\nrun: {script: a.py}"
    (run,) = plan(text)
    assert (run.timeout, run.max_memory, run.spec.try_budget, run.drift) == (5.0, 10**9, 9, None)
    (run,) = plan(text, timeout=2.0, max_memory=7, baseline="b.json", drift=3.0)
    assert (run.timeout, run.max_memory, run.baseline, run.drift) == (2.0, 7, "b.json", None)


def test_runs_of_one_script_are_told_apart_by_their_arguments(plan) -> None:
    runs = plan("run: [{script: a.py}, {script: a.py, args: [--name, a b]}, {script: ./a.py, args: x}]")
    assert [run.name for run in runs] == ["a.py", "a.py --name 'a b'", "./a.py x"]
    assert runs[2].spec.command == ("a.py", "x")


def test_a_script_is_found_from_its_file_and_arguments_stay_as_they_are(plan, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.yaml").write_text(
        "version: 1\nrun: {script: train, args: --data data.npz}", encoding="utf-8"
    )
    (run,) = load_config(Path("sub/x.yaml"), {})
    assert (run.name, run.spec.command) == ("train --data data.npz", ("sub/train", "--data", "data.npz"))
