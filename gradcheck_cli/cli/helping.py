"""Help texts: options in groups and examples that keep their lines, in plain text."""

from __future__ import annotations

from typing import Any

from gradcheck_cli.cli.lazyparsing import LazyCommand


def examples(*lines: str) -> str:
    """An epilog that shows each line as it is."""
    # The form feed's cousin \b keeps the parser from filling the paragraph.
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


class PanelCommand(LazyCommand):
    """A command whose options are listed by the group in `rich_help_panel`, without rich."""

    first: tuple[str, ...] = ()
    """Groups that come before the others, in this order."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write each group of options, those that come first and then in the order of the signature."""
        groups: dict[str, list[tuple[str, str]]] = {heading: [] for heading in self.first}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.setdefault(_heading(parameter), []).append(record)
        for heading, records in groups.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


def _heading(parameter: Any) -> str:
    default = "Arguments" if parameter.param_type_name == "argument" else "Options"
    return getattr(parameter, "rich_help_panel", None) or default
