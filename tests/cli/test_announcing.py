from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path

import pytest

import gradcheck_cli
from gradcheck_cli.cli import announcing as module
from gradcheck_cli.cli.announcing import MOST, Announcing, announcing
from gradcheck_cli.records.session import RaisedEntry
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.timeline import AlarmKind, Raised, Vital
from gradcheck_cli.watch.sessionreader import News

ROOT = Path(gradcheck_cli.__file__).parents[1]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def on(terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch, term: str = "xterm-256color") -> io.StringIO:
    """A terminal as stderr; within the test, since pytest puts its own there for each phase."""
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(module, "_is_in_front", lambda: True)
    monkeypatch.setenv("TERM", term)
    return terminal


def entry(step: int, message: str = "the loss is nan", **fields: object) -> RaisedEntry:
    alarm = Raised(kind=AlarmKind.NONFINITE, step=step, optimizer=0, message=message, evidence={})
    return RaisedEntry(raised=alarm, optimizer_step=step, **fields)  # type: ignore[arg-type]


def vital(step: int, loss: float, **fields: int) -> Vital:
    return Vital(step=step, loss=loss, grad_norm=2.5, **fields)  # type: ignore[arg-type]


def test_an_alarm_is_told_in_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on(Terminal(), monkeypatch, "vt100")
    with announcing("train.py", quiet=False) as announce:
        assert announce is not None
        announce(News((entry(133, source=SourceLine(file="train.py", line=41), samples=(59,)),)))
    line = "gradcheck: step 133: the loss is nan · train.py:41 · row 59; Ctrl-C ends the script with a report\n"
    assert terminal.getvalue() == f"\n{line}"


def test_nobody_is_told_too_much_or_what_a_terminal_would_obey(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on(Terminal(), monkeypatch)
    announce = Announcing("\x1b]0;owned\x07", titled=True)
    for step in range(1, MOST + 5):
        announce(News((entry(step, "\x1b[31m\n"),), (vital(step, 1.0),)))
    lines = [line for line in terminal.getvalue().split("\n") if "gradcheck:" in line]
    assert len(lines) == MOST and "\x1b[31m" not in terminal.getvalue()
    assert set(re.findall(r"\x1b.", terminal.getvalue())) == {"\x1b]", "\x1b\\"}
    assert terminal.getvalue().count("\x1b]") == MOST + 4 and "\x07" not in terminal.getvalue()


def test_the_title_tells_the_last_step_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on(Terminal(), monkeypatch)
    with announcing("train.py", quiet=False) as announce:
        assert announce is not None
        announce(News((), (vital(1, 8.0), vital(2, 8.0))))
        announce(News((entry(3),), (vital(40, 1.0), vital(41, 9.0, optimizer=1))))
        announce(News())
    shown = re.findall(r"\x1b\]2;(.*?)\x1b\\", terminal.getvalue())
    assert shown == [
        "step 2 · loss 8 ▁ · |grad| 2.5 · train.py",
        "step 40 · loss 1 █▁ · |grad| 2.5 · 1 alarm · train.py",
    ]
    assert terminal.getvalue().startswith("\x1b[22;2t") and terminal.getvalue().endswith("\x1b[23;2t")


def test_a_redacted_alarm_tells_no_folder_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on(Terminal(), monkeypatch)
    raised = entry(3, "its input is -3.5", source=SourceLine(file="secret/train.py", line=41))
    with announcing("train.py", quiet=False, redact=True) as announce:
        assert announce is not None
        announce(News((raised,)))
    assert "secret" not in terminal.getvalue() and "3.5" not in terminal.getvalue()
    assert "step 3: its input is … · train.py:41;" in terminal.getvalue()


@pytest.mark.parametrize("term", ["linux", "vt100", "unheard-of", ""])
def test_a_terminal_without_a_title_is_sent_no_escape_code(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    terminal = on(Terminal(), monkeypatch, term)
    with announcing("train.py", quiet=False) as announce:
        assert announce is not None
        announce(News((), (vital(1, 8.0),)))
    assert terminal.getvalue() == ""


def test_what_runs_in_the_background_leaves_the_title_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on(Terminal(), monkeypatch)
    monkeypatch.setattr(module, "_is_in_front", lambda: False)
    Announcing("train.py", titled=True)(News((), (vital(1, 8.0),)))
    assert terminal.getvalue() == ""


def test_nothing_is_told_off_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, term, quiet in (
        (Terminal(), "xterm", True),
        (Terminal(), "dumb", False),
        (io.StringIO(), "xterm", False),
    ):
        on(stream, monkeypatch, term)
        with announcing("train.py", quiet=quiet) as announce:
            assert announce is None
        assert stream.getvalue() == ""


def test_the_memory_of_a_long_run_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    on(Terminal(), monkeypatch)
    announce = Announcing("train.py", titled=True)
    for step in range(1, 3000):
        announce(News((), (vital(step, 1 / step),)))
    assert len(announce._losses) <= 401 and announce._losses[0] == (1, 1.0) and announce._losses[-1][0] > 2990


# --------------------------------------------------------------------------- on a terminal, beside a bar

TEE = """
import os, sys, time
class Tee:
    kept = open(os.environ["KEPT"], "ab", 0)
    def __init__(self, stream):
        self.stream = stream
    def write(self, text):
        self.kept.write(text.encode())
        return self.stream.write(text)
    def __getattr__(self, name):
        return getattr(self.stream, name)
for stream in (sys.stdout, sys.stderr):
    stream.reconfigure(write_through=True)
sys.stdout, sys.stderr = Tee(sys.stdout), Tee(sys.stderr)
import torch
from torch import nn
net = nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
def train():
    net(torch.ones(2, 3)).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()
    time.sleep(0.1)
"""
SCRIPTS = {
    "plain": "for step in range(24):\n    train()\n    print('step', step) if step % 3 else print('...', end='')",
    "tqdm": "from tqdm import tqdm\nfor step in tqdm(range(24), desc='epoch'):\n    train()",
    "rich": """
from rich.progress import Progress
with Progress() as progress:
    outer, inner = progress.add_task("outer", total=3), progress.add_task("inner", total=8)
    for epoch in range(3):
        progress.reset(inner)
        for step in range(8):
            train()
            progress.advance(inner)
        progress.console.print("epoch", epoch)
        progress.advance(outer)
""",
    "lightning": """
import lightning
class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = net
    def training_step(self, batch, index):
        time.sleep(0.1)
        loss = self.net(batch).square().mean()
        self.log("loss", loss, prog_bar=True)
        return loss
    def configure_optimizers(self):
        return optimizer
quiet = dict(logger=False, enable_checkpointing=False, enable_model_summary=False)
lightning.Trainer(max_epochs=2, accelerator="cpu", log_every_n_steps=1, **quiet).fit(
    Module(), torch.utils.data.DataLoader(torch.ones(12, 3)))
""",
}
"""What people write on a terminal while they train, each keeping what it writes."""
TITLES = re.compile(rb"\x1b\]2;([^\x07\x1b]*)\x1b\\|\x1b\[2[23];2t")


def on_a_terminal(command: list[str], **variables: str) -> bytes:
    """What a command writes to a terminal of its own."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        os.execvpe(command[0], command, {**os.environ, **variables})
    written = b""
    while True:
        try:
            chunk = os.read(terminal, 1 << 16)
        except OSError:  # what reading gives once the last process is gone
            chunk = b""
        if not chunk:
            break
        written += chunk
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return written


DRAWN = [("tqdm", "xterm-256color"), ("plain", "vt100")]
"""Beside a bar, and where there is no title: CI runs these."""


@pytest.mark.parametrize(
    ("name", "term"),
    [*DRAWN, *(pytest.param(name, DRAWN[0][1], marks=pytest.mark.sweep) for name in ("plain", "rich", "lightning"))],
)
def test_what_a_script_draws_is_on_the_terminal_as_it_was_written(tmp_path: Path, name: str, term: str) -> None:
    """Byte by byte: taken out what sets the title, nothing of ours stands in it or before it."""
    script, kept = tmp_path / "train.py", tmp_path / "kept"
    script.write_text(TEE + SCRIPTS[name])
    command = [sys.executable, "-m", "gradcheck_cli", "run", "--no-first", str(script)]
    watched = on_a_terminal(command, TERM=term, KEPT=str(kept), PYTHONPATH=str(ROOT))
    drawn = kept.read_bytes().replace(b"\n", b"\r\n")
    assert len(drawn) > 100 and drawn in TITLES.sub(b"", watched)
    titles = [title.decode() for title in TITLES.findall(watched) if title]
    assert all(re.match(r"step \d+ · loss [\d.]+", title) for title in titles)
    assert (len(titles) >= 2) == (term != "vt100")
