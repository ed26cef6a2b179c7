"""A command line that converts no more than it needs, and all that it needs."""

from __future__ import annotations

import enum
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from gradcheck_cli.cli.lazyparsing import LazyCommand, LazyGroup


class Mode(str, enum.Enum):
    TRAIN = "train"
    EVAL = "eval"


app = typer.Typer(cls=LazyGroup, add_completion=False, rich_markup_mode=None)


@app.callback()
def group(level: Annotated[int, typer.Option()] = 1) -> None:
    typer.echo(f"level {level!r}")


@app.command(cls=LazyCommand)
def take(
    text: Annotated[str, typer.Argument()],
    count: Annotated[int, typer.Option()] = 3,
    rate: Annotated[float | None, typer.Option()] = None,
    mode: Annotated[Mode, typer.Option()] = Mode.TRAIN,
    names: Annotated[list[str] | None, typer.Option("--name")] = None,
    sizes: Annotated[list[int] | None, typer.Option("--size")] = None,
    flag: Annotated[bool, typer.Option("--flag/--no-flag")] = False,
) -> None:
    typer.echo(repr((text, count, rate, mode.value, list(names or ()), list(sizes or ()), flag)))


@app.command(cls=LazyCommand)
def other() -> None:
    typer.echo("other")


def taken(*arguments: str) -> object:
    result = CliRunner().invoke(app, ["take", *arguments])
    assert result.exit_code == 0, result.output
    first, second = result.output.splitlines()
    assert first == "level 1"
    return eval(second)


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        ((), (3, None, "train", [], [], False)),
        (("--count", "7"), (7, None, "train", [], [], False)),
        (("--count", "3"), (3, None, "train", [], [], False)),
        (("--mode", "train"), (3, None, "train", [], [], False)),
        (("--rate", "1e-3"), (3, 1e-3, "train", [], [], False)),
        (("--mode", "eval"), (3, None, "eval", [], [], False)),
        (("--name", "a", "--name", "b"), (3, None, "train", ["a", "b"], [], False)),
        (("--size", "1", "--size", "2"), (3, None, "train", [], [1, 2], False)),
        (("--flag",), (3, None, "train", [], [], True)),
    ],
)
def test_every_kind_of_value_arrives_in_its_type(arguments: tuple[str, ...], values: tuple[object, ...]) -> None:
    assert taken("word", *arguments) == ("word", *values)


def test_a_text_that_looks_like_a_number_stays_a_text() -> None:
    assert taken("7", "--name", "8") == ("7", 3, None, "train", ["8"], [], False)


@pytest.mark.parametrize(
    "arguments", [("--count", "x"), ("--rate", "fast"), ("--mode", "both"), ("--size", "1.5"), ("--nothing",)]
)
def test_a_value_of_another_type_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, ["take", "word", *arguments])
    assert result.exit_code == 2
    assert arguments[0] in result.output


def test_a_missing_argument_is_a_usage_error() -> None:
    result = CliRunner().invoke(app, ["take"])
    assert result.exit_code == 2
    assert "text" in result.output.lower().partition("missing argument")[2]


def test_the_group_converts_its_own_options() -> None:
    assert CliRunner().invoke(app, ["--level", "5", "other"]).output == "level 5\nother\n"
    assert CliRunner().invoke(app, ["--level", "x", "other"]).exit_code == 2


def test_help_is_there_for_the_group_and_for_each_command() -> None:
    assert "take" in CliRunner().invoke(app, ["--help"]).output
    assert "--count" in CliRunner().invoke(app, ["take", "--help"]).output
