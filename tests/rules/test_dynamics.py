"""The size of the first step, and the threshold for clipping."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from gradcheck_cli import check
from gradcheck_cli.pipeline import run_check
from gradcheck_cli.records.choices import About, Optimizer
from gradcheck_cli.records.firstupdates import Stepped
from gradcheck_cli.records.spec import CheckSpec
from gradcheck_cli.records.trainingsettings import Training
from tests.rules.chains import chain, only


def model() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 10))


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(64, 16), torch.randint(10, (64,))


MAKERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@pytest.mark.parametrize("name", MAKERS)
def test_the_update_is_what_the_optimiser_really_does(name: str):
    lr, net = 2.0, model()
    report = check(net, batch(), loss="cross_entropy", lr=lr, optimizer=name)
    optimizer = MAKERS[name](net.parameters(), lr=lr, **({"weight_decay": 0.0} if name == "adamw" else {}))
    before = [parameter.detach().clone() for parameter in net.parameters()]
    nn.functional.cross_entropy(net(batch()[0]), batch()[1]).backward()
    optimizer.step()
    ratios = [
        math.hypot(*((p - b).norm().item() for p, b in pair)) / math.hypot(*(b.norm().item() for _, b in pair))
        for pair in (list(zip(net.parameters(), before, strict=True))[i : i + 2] for i in (0, 2))
    ]
    (finding,) = report.findings
    assert (finding.code, finding.cause) == ("GC601", "lr-too-high")
    assert finding.evidence["largest"] == pytest.approx(max(ratios), rel=1e-3)


@pytest.mark.parametrize(("after", "doubt"), [(0.5, About.WHOLE), (4.0, None)], ids=["falls", "rises"])
def test_a_large_step_that_lowers_its_own_loss_is_a_suspicion(after: float, doubt: About | None) -> None:
    training = Training(lr=1.0, optimizer=Optimizer.ADAM, stepped=Stepped(before=1.0, after=after, parameters=()))
    assert only("GC601", chain([0.5, 0.5]), training=training).doubt is doubt


@pytest.mark.parametrize(("lr", "codes"), [(1e-3, []), (1e-2, []), (1e-9, ["GC602"]), (None, [])])
def test_usual_rates_are_left_alone(lr: float | None, codes: list[str]):
    assert [f.code for f in check(model(), batch(), loss="cross_entropy", lr=lr, optimizer="adam").findings] == codes


FILE = """\
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 1)
data = [(torch.randn(8, 4) * scale, torch.randn(8, 1)) for scale in (1, 1, 1, 1, 1, 1, 1, 1, 1, 30)]
loss = nn.functional.mse_loss
"""


def test_nine_of_ten_batches_stay_below_the_threshold(tmp_path: Path):
    path = tmp_path / "model.py"
    path.write_text(FILE)
    spec = CheckSpec(model=str(path), batch=f"{path}:data", batches=10, optimizer=Optimizer.SGD)
    report = run_check(spec)
    scope: dict[str, object] = {}
    exec(FILE, scope)
    net, norms = scope["model"], []
    for x, y in scope["data"]:
        net.zero_grad()
        scope["loss"](net(x), y).backward()
        norms.append(math.hypot(*(p.grad.norm().item() for p in net.parameters())))
    (note,) = [f for f in report.findings if f.code == "GC611"]
    assert note.evidence["threshold"] == pytest.approx(sorted(norms)[8], rel=1e-4)
    assert max(norms) > 10 * note.evidence["threshold"]
    assert report.exit_code == 0


def test_too_few_batches_are_told(tmp_path: Path):
    path = tmp_path / "model.py"
    path.write_text(FILE)
    report = run_check(CheckSpec(model=str(path), batch=f"{path}:data", batches=12))
    assert "--batches asked for 12 and the data holds 10" in report.notes


def notes(net: nn.Module, data: tuple[torch.Tensor, torch.Tensor], loss: str) -> list[str]:
    return [f.code for f in check(net, data, loss=loss).findings if f.severity.value == "note"]


@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_a_batch_that_is_learned_is_called_learned(scale: float):
    x, y = torch.eye(4), torch.arange(4)
    net = nn.Linear(4, 4)
    assert "GC612" not in notes(net, (x, y), "cross_entropy")
    with torch.no_grad():
        net.weight.copy_(10 * torch.eye(4))
    report = check(net, (x, y), step=lambda m, b: scale * nn.functional.cross_entropy(m(b[0]), b[1]))
    (note,) = [f for f in report.findings if f.code == "GC612"]
    assert note.evidence["loss_per_sample"] < 1e-2 * math.log(4)


def test_a_regression_is_learned_when_little_of_the_spread_is_left_not_when_the_mean_is_hit():
    x = torch.linspace(-1, 1, 64)[:, None]
    net = nn.Linear(1, 1)
    with torch.no_grad():
        net.weight.fill_(0.0)
        net.bias.fill_(1000.0)
    assert "GC612" not in notes(net, (x, 1000 + x), "mse_loss")
    with torch.no_grad():
        net.weight.fill_(0.995)
    assert "GC612" in notes(net, (x, 1000 + x), "mse_loss")
