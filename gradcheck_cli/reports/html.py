"""One self-contained HTML page: no script, no request, light and dark by the reader's preference.

The template draws what this module lays out. Every string passes `shown` and then Jinja's autoescape.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from gradcheck_cli.records.report import Report
from gradcheck_cli.records.suite import SuiteReport
from gradcheck_cli.records.timeline import Timeline
from gradcheck_cli.records.waiving import waiver_of
from gradcheck_cli.reports.charts import ledger_chart, profile_chart, series_charts, trial_bars
from gradcheck_cli.reports.glyphs import figure, shown
from gradcheck_cli.reports.heatmap import heat_map
from gradcheck_cli.reports.plain import (
    numbers_in_words,
    opinion_in_words,
    outcome_in_words,
    share_in_words,
    suite_of_one,
    suspicions_in_words,
    training_in_words,
)
from gradcheck_cli.reports.runcharts import alarm_marks, not_drawn, run_charts
from gradcheck_cli.reports.runreport import at_a_glance, told_once
from gradcheck_cli.reports.runwords import passed, run_facts, run_verdict, script_end, uses_in_words
from gradcheck_cli.reports.style import Style
from gradcheck_cli.reports.verdicts import (
    CheckVerdict,
    counts_in_words,
    duration,
    outcome,
    seconds_of,
    serious,
    severity_in_words,
    verdict,
    waived_in_words,
    worst_in_words,
)

_MARK = {
    CheckVerdict.FAILED: "✕",
    CheckVerdict.ILL: "✕",
    CheckVerdict.UNMET: "✕",
    CheckVerdict.ALLOWED: "–",
    CheckVerdict.UNKNOWN: "?",
    CheckVerdict.OK: "✓",
}


def render_report(report: Report, style: Style) -> str:
    """The page of one check, in full; `style` says whether healthy layers are folded."""
    return _page(suite_of_one(report), style, overview=False)


def render_suite(suite: SuiteReport, style: Style) -> str:
    """The page of a suite: an overview, then every check, the passing ones folded."""
    return _page(suite, style, overview=True)


def render_run(run: Timeline, style: Style) -> str:
    """The page of a run: its loss with the alarms, each step that went wrong, then all that was seen over time."""
    passing = [passed(alarm) for alarm in run.alarms if not serious(alarm.report)]
    charts = run_charts(run, style)
    text = _template("run.html").render(
        run=run,
        style=style,
        command=" ".join(run.command),
        outcome_words=[*run_verdict(run), *script_end(run), f"exit {run.exit_code}"],
        facts=[*run_facts(run), *uses_in_words(run)],
        glance=at_a_glance(run),
        charts=charts,
        losses=sum(chart.of_loss for chart in charts),
        not_drawn=not_drawn(run, style),
        marks=alarm_marks(run),
        heat=heat_map(run.layers, run.steps),
        steps=list(told_once(run)),
        notes=list(dict.fromkeys((*passing, *run.notes))),
    )
    return _ascii(text)


def _page(suite: SuiteReport, style: Style, *, overview: bool) -> str:
    return _ascii(_template("page.html").render(suite=suite, style=style, overview=overview))


def _ascii(text: str) -> str:
    """Character references, so that any stream can take it."""
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii") + "\n"


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: shown(value) if type(value) is str else value,
    )
    environment.globals.update(
        verdict=verdict,
        mark=_MARK.__getitem__,
        worst=worst_in_words,
        outcome=outcome,
        waived_in_words=waived_in_words,
        waiver_of=waiver_of,
        seconds_of=seconds_of,
        duration=duration,
        counts_in_words=counts_in_words,
        serious=serious,
        severity_in_words=severity_in_words,
        profile_chart=profile_chart,
        ledger_chart=ledger_chart,
        series_charts=series_charts,
        trial_bars=trial_bars,
        outcome_in_words=outcome_in_words,
        training_in_words=training_in_words,
        numbers_in_words=numbers_in_words,
        opinion_in_words=opinion_in_words,
        suspicions_in_words=suspicions_in_words,
        share_in_words=share_in_words,
        figure=figure,
        lines=_lines,
        worded=_worded,
    )
    return environment.get_template(name)


def _worded(text: str) -> Markup:
    """A sentence of ours, with the names that it quotes in backticks set as code."""
    parts = re.split(r"`([^`]+)`", shown(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )


def _lines(text: str) -> Sequence[str]:
    """The lines of a text, each to be shown on its own: `shown` would write a line break as an escape."""
    return [line.expandtabs(4) for line in text.splitlines()]
