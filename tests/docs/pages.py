"""docs/rules and docs/causes, made of the rules' own texts: `python -m tests.docs.pages` tells which are not current.

`--write` writes them. An example is run only where its file is not the one on the page; `--run` runs all of them.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gradcheck_cli.records.causes import CAUSES
from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.report import Remedy
from gradcheck_cli.records.thresholds import TUNABLE, Thresholds
from gradcheck_cli.remedies import each_once, remedies_for
from gradcheck_cli.rules import EVERY_RULE, RULES, AlarmRule, Rule
from tests.corpus import CASES
from tests.corpus.verdicts import RECORDED
from tests.docs.examples import EXAMPLES, ROOT, commands_of, example_of, is_same, printed_by, source_of, tells

RULES_FOLDER, CAUSES_FOLDER = ROOT / "docs" / "rules", ROOT / "docs" / "causes"
BY_CODE: Mapping[str, Rule | AlarmRule] = {rule.code: rule for rule in sorted(EVERY_RULE, key=lambda each: each.code)}
NAMED = tuple(cause for cause in CAUSES if any(cause in rule.causes for rule in EVERY_RULE))
"""The causes that a rule can name; the others are kept for later."""
_CONSOLE = re.compile(r"```console\n(?:\$ [^\n]*\n)+(.*?)\n```", re.DOTALL)
_MOST_CASES = 3


def rule_page(code: str, printed: str) -> str:
    """The page of a rule, whose example prints this."""
    rule, checked = BY_CODE[code], BY_CODE[code] in RULES
    lines = [
        f"# {code} {rule.name}",
        "",
        f"{_A[rule.severity]} of the family *{rule.family.value}*, "
        f"told by `gradcheck {'check' if checked else 'run'}`.",
        "",
        rule.explanation,
        "",
        *_example(example_of(code), printed),
        *_causes(rule.causes),
        *_remedies(each_once(rule.causes), "What to try", sources=False),
        *_thresholds(code),
        *_silence(rule, printed),
    ]
    return "\n".join(lines)


_A = {Severity.ERROR: "An error", Severity.WARNING: "A warning", Severity.NOTE: "A note"}


def _example(example: Path, printed: str) -> Iterator[str]:
    yield from ("## Example", "", f"[{example.name}](../examples/{example.name}):", "")
    yield from ("```python", source_of(example).strip("\n"), "```", "")
    yield from ("```console", *(f"$ {command}" for command in commands_of(example)), printed, "```", "")


def _causes(causes: Sequence[str]) -> Iterator[str]:
    remedies = each_once(causes)
    yield from ("## Causes", "")
    yield from _table(
        ("cause", "what goes wrong", "what to try, by number"),
        (
            (f"[{cause}](../causes/{cause}.md)", CAUSES[cause].meaning, _places(remedies_for(cause), remedies))
            for cause in causes
        ),
    )


def _places(some: Iterable[Remedy], remedies: Sequence[Remedy]) -> str:
    return ", ".join(str(remedies.index(remedy) + 1) for remedy in some) or "–"


def _remedies(remedies: Sequence[Remedy], heading: str, *, sources: bool) -> Iterator[str]:
    """Each once, numbered; their sources stand on the pages of the causes."""
    if not remedies:
        return
    yield from (f"## {heading}", "")
    for place, remedy in enumerate(remedies, start=1):
        indent = " " * len(f"{place}. ")
        yield f"{place}. **{_text(remedy.title)}.** {_text(remedy.detail)} Not {_text(remedy.unless)}."
        if sources:
            yield f"{indent}Source: {_text(remedy.source)}."
        if remedy.code:
            yield from ("", *(f"{indent}{line}" for line in ("```python", *remedy.code.splitlines(), "```")))
        yield ""


def _thresholds(code: str) -> Iterator[str]:
    mine = {name: bounds for name, bounds in TUNABLE.items() if bounds.rule == code}
    if mine:
        yield from ("## Thresholds", "", "Under `thresholds` in gradcheck.yaml:", "")
        usual = Thresholds()
        yield from (f"- `{code}: {{{n}: {getattr(usual, n):g}}}` {_text(mine[n].meaning)}" for n in mine)
        yield ""


def _silence(rule: Rule | AlarmRule, printed: str) -> Iterator[str]:
    yield from ("## How to silence it", "")
    yield f"`--ignore {rule.code}`, or `--ignore {rule.name}`, leaves the rule out."
    if not re.search(rf"^ *{rule.code} (?:error|warning) ", printed, re.MULTILINE):
        yield from ("A note, as here, fails nothing.", "")
        return
    yield "With a reason, and only for the layers that a finding names: the line of YAML that it ends with, in"
    yield "gradcheck.yaml, at the top or beside the model or the script that it is about."
    if waiver := re.search(rf"to waive +(ignore: {{{rule.code}: .*)", printed):
        yield from ("", "```yaml", waiver[1].replace("WHY", '"measured, and meant"'), "```")
    else:
        yield "Here it is a long one: `--verbose` shows it."
    yield ""


def cause_page(cause: str) -> str:
    """The page of a cause."""
    rules = [rule for rule in BY_CODE.values() if cause in rule.causes]
    lines = [
        f"# {cause}",
        "",
        CAUSES[cause].meaning,
        "",
        "## Rules that name it",
        "",
        *_table(
            ("rule", "what it says"),
            ((f"[{rule.code} {rule.name}](../rules/{rule.code}.md)", _first(rule)) for rule in rules),
        ),
        *_seen(cause),
        *_remedies(remedies_for(cause), "What to try, in this order", sources=True),
        "## How to silence it",
        "",
        "With the rule that names it: its page tells how.",
        "",
    ]
    return "\n".join(lines)


def _seen(cause: str) -> Iterator[str]:
    """Models of the corpus in whose recorded verdict it is."""
    verdicts: dict[str, list[dict[str, Any]]] = json.loads(RECORDED.read_text(encoding="ascii"))
    cases = [case for case in CASES if any(f["cause"] == cause for f in verdicts.get(f"corpus/{case.name}", ()))]
    if cases:
        yield from ("## Seen in", "", "Models of [tests/corpus](../../tests/corpus), each with its label proven:", "")
        yield from (f"- `{case.name}`: {_text(case.doc.splitlines()[0])}" for case in cases[:_MOST_CASES])
        yield ""


def rules_index() -> str:
    """The index of the rules."""
    rows = (
        (f"[{rule.code}]({rule.code}.md)", rule.name, rule.severity.value, _first(rule)) for rule in BY_CODE.values()
    )
    told = "Every rule, with an example that it finds. `gradcheck rule CODE` tells the same at a terminal."
    causes = "What they name as causes is in [causes](../causes/README.md)."
    return "\n".join(("# Rules", "", told, causes, "", *_table(("code", "name", "severity", "what it says"), rows)))


def causes_index() -> str:
    """The index of the causes, group by group."""
    lines = ["# Causes", "", "What a finding can name as its cause. Names never change their meaning.", ""]
    for group in dict.fromkeys(CAUSES[cause].group for cause in NAMED):
        mine = [cause for cause in NAMED if CAUSES[cause].group == group]
        lines += [f"## {group[0].upper()}{group[1:]}", ""]
        lines += _table(("cause", "what goes wrong"), ((f"[{c}]({c}.md)", CAUSES[c].meaning) for c in mine))
    return "\n".join(lines)


def _first(rule: Rule | AlarmRule) -> str:
    return rule.explanation.partition("\n\n")[0].replace("\n", " ")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield from (f"| {' | '.join(header)} |", f"|{'---|' * len(header)}")
    yield from (f"| {' | '.join((row[0], *map(_cell, row[1:])))} |" for row in rows)
    yield ""


def _cell(words: str) -> str:
    return _text(words).replace("|", "\\|")


def _text(words: str) -> str:
    """Words with nothing in them that Markdown would read, but for the code in backticks."""
    parts = re.split(r"(`[^`]*`)", words)
    return "".join(part if place % 2 else re.sub(r"([*_<\[\]])", r"\\\1", part) for place, part in enumerate(parts))


def printed_on(page: str) -> str | None:
    """What an example printed, as a page shows it."""
    found = _CONSOLE.search(page)
    return found[1] if found else None


def pages(*, run: bool = False) -> Iterator[tuple[Path, str]]:
    """Every page as it should be, by its path."""
    yield RULES_FOLDER / "README.md", rules_index()
    yield CAUSES_FOLDER / "README.md", causes_index()
    yield from ((CAUSES_FOLDER / f"{cause}.md", cause_page(cause)) for cause in NAMED)
    for code in BY_CODE:
        path = RULES_FOLDER / f"{code}.md"
        yield path, rule_page(code, _printed(code, path, run=run))


def _printed(code: str, path: Path, *, run: bool) -> str:
    """What stands on the page, if its example is still that one and another run does not differ from it."""
    page, example = _read(path), example_of(code)
    shown = printed_on(page)
    kept = shown if shown and tells(code, shown) and "\n".join(_example(example, shown)) in page else None
    if kept is not None and not run:
        return kept
    printed = printed_by(example)
    return kept if kept is not None and is_same(kept, printed) else printed


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def left_over(current: Iterable[Path]) -> list[Path]:
    """Pages and examples of what is no longer there."""
    there = {*RULES_FOLDER.glob("*.md"), *CAUSES_FOLDER.glob("*.md"), *EXAMPLES.glob("*.py")}
    return sorted(there.difference(current, map(example_of, BY_CODE)))


def main() -> int:
    """Print the pages that are not current; exit 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--run", action="store_true")
    asked = parser.parse_args()
    current, count = [], 0
    for path, text in pages(run=asked.run):
        current.append(path)
        if _read(path) != text:
            print(f"not current: {path.relative_to(ROOT)}", flush=True)
            count += 1
            if asked.write:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    for path in left_over(current):
        print(f"left over: {path.relative_to(ROOT)}")
        count += 1
        if asked.write:
            path.unlink()
    return int(bool(count))


if __name__ == "__main__":
    raise SystemExit(main())
