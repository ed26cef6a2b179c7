"""Help texts: groups, and examples that keep their lines."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from gradcheck_cli.cli.helping import PanelCommand, examples


def application(**options: object) -> typer.Typer:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)

    @app.command(cls=PanelCommand, **options)  # type: ignore[arg-type]
    def build(
        model: Annotated[str, typer.Argument(help="What to build.")],
        width: Annotated[int, typer.Option(help="How wide.", rich_help_panel="Size")] = 3,
        name: Annotated[str, typer.Option(help="What to call it.")] = "x",
        depth: Annotated[int, typer.Option(help="How deep.", rich_help_panel="Size")] = 4,
        secret: Annotated[bool, typer.Option("--secret", hidden=True)] = False,
    ) -> None:
        """Build a model."""
        typer.echo(f"{model} {width} {name} {depth} {secret}")

    return app


def help_of(app: typer.Typer) -> str:
    return CliRunner().invoke(app, ["--help"]).output


def test_options_stand_in_their_groups_in_the_order_of_the_signature() -> None:
    text = help_of(application())
    places = [text.index(word) for word in ("Arguments:", "What to build", "Size:", "--width", "--depth", "Options:")]
    assert places == sorted(places)
    assert text.index("Options:") < text.index("--name")
    assert text.count("Size:") == text.count("Options:") == 1


def test_a_hidden_option_stands_in_no_group_and_works() -> None:
    assert "--secret" not in help_of(application())
    assert CliRunner().invoke(application(), ["m", "--secret"]).output == "m 3 x 4 True\n"


@pytest.mark.parametrize("lines", [("gradcheck check model.py",), ("a " * 60 + "end", "  indented", "b")])
def test_each_example_keeps_its_line(lines: tuple[str, ...]) -> None:
    shown = help_of(application(epilog=examples(*lines))).splitlines()
    start = next(i for i, line in enumerate(shown) if line.strip() == "Examples:")
    assert [line.strip() for line in shown[start + 1 :] if line.strip()] == [line.strip() for line in lines]
