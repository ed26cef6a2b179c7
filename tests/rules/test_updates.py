"""What the first updates make of a model: each illness beside a model that looks like it and is well."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gradcheck_cli import check
from gradcheck_cli.pipeline import run_check
from gradcheck_cli.records.choices import Optimizer
from gradcheck_cli.records.spec import CheckSpec


def net(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 10)).to(dtype)


def batch(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(64, 16, generator=generator).to(dtype), torch.randint(10, (64,), generator=generator)


def found(dtype: torch.dtype, lr: float | None, optimizer: str) -> list[tuple[str, str]]:
    report = check(net(dtype), batch(dtype), loss="cross_entropy", lr=lr, optimizer=optimizer)
    return [(f.code, f.cause) for f in report.findings]


# --------------------------------------------------------------------------- weights that are no numbers


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_adams_eps_is_nothing_in_float16(optimizer: str) -> None:
    report = check(net(torch.float16), batch(torch.float16), loss="cross_entropy", lr=1e-3, optimizer=optimizer)
    (finding,) = report.findings
    assert (finding.code, finding.cause, finding.severity.value) == ("GC604", "fp16-underflow", "error")
    assert finding.layers == ("0", "2")
    assert finding.remedies[0].id == "eps" and "eps=1e-4" in finding.remedies[0].code
    assert "loss-scaling" not in [remedy.id for remedy in finding.remedies]
    twin = net(torch.float16)
    step = torch.optim.Adam(twin.parameters(), lr=1e-3)
    F.cross_entropy(twin(batch(torch.float16)[0]), batch()[1]).backward()
    step.step()
    assert finding.evidence["broken"] == sum(int((~p.isfinite()).sum()) for p in twin.parameters())


@pytest.mark.parametrize(
    ("dtype", "lr", "optimizer"),
    [
        (torch.float16, 1e-2, "sgd"),
        (torch.bfloat16, 1e-3, "adam"),
        (torch.float32, 1e-3, "adam"),
        (torch.float16, None, "adam"),  # nothing is known of the rate
    ],
)
def test_other_precisions_and_optimisers_are_well(dtype: torch.dtype, lr: float | None, optimizer: str) -> None:
    assert found(dtype, lr, optimizer) == []


def test_a_rate_that_no_float16_holds() -> None:
    x, y = batch(torch.float16)
    report = check(net(torch.float16), (x, y), step=lambda m, b: 1e3 * F.cross_entropy(m(b[0]), b[1]), lr=6e4)
    assert [(f.code, f.cause) for f in report.findings if f.severity.value == "error"] == [("GC604", "lr-too-high")]


# --------------------------------------------------------------------------- weights that stay


def test_an_update_that_bfloat16_rounds_away() -> None:
    report = check(net(torch.bfloat16), batch(torch.bfloat16), loss="cross_entropy", lr=1e-5)
    (finding,) = report.findings
    assert (finding.code, finding.cause, finding.severity.value) == ("GC605", "update-moves-nothing", "error")
    assert (finding.evidence["moved"], finding.evidence["dtype"]) == (0, "bfloat16")
    assert [remedy.id for remedy in finding.remedies] == ["fp32", "higher-lr"]
    assert finding.remedies[0].title == "keep the weights in float32"


@pytest.mark.parametrize(("dtype", "lr"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
def test_the_same_rate_in_float32_and_a_larger_one_in_bfloat16_move_the_weights(dtype: torch.dtype, lr: float) -> None:
    assert found(dtype, lr, "sgd") == []


def test_in_float32_only_the_rate_is_to_blame() -> None:
    report = check(net(), batch(), loss="cross_entropy", lr=1e-12)
    (finding,) = report.findings
    assert finding.code == "GC605"
    assert [remedy.id for remedy in finding.remedies] == ["higher-lr"]


def test_a_model_at_its_optimum_has_nothing_to_move_for() -> None:
    x = torch.randn(64, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    y = x.sum(1, keepdim=True) + torch.randn(64, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    model = nn.Linear(4, 1).double()
    solution = torch.linalg.lstsq(torch.cat([x, torch.ones(64, 1)], 1), y).solution
    with torch.no_grad():
        model.weight.copy_(solution[:4].T)
        model.bias.copy_(solution[4])
    report = check(model, (x, y), loss="mse_loss", lr=1e-2)
    assert [f.code for f in report.findings if f.severity.value != "note"] == []


# --------------------------------------------------------------------------- a loss that rises


class Narrow(nn.Module):
    """A quadratic valley 100 times as steep one way as the others; SGD is stable below 2 / 200."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.map = nn.Linear(8, 1)
        nn.init.constant_(self.map.bias, 10.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.map(x)


def valley() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(64, 8, generator=torch.Generator().manual_seed(0)) * torch.tensor([10.0] + [1.0] * 7)
    return x, 10 + x[:, :1] + x[:, 1:].sum(1, keepdim=True) / 10


def rising(lr: float, passes: int = 0) -> list:
    report = check(Narrow(), valley(), loss="mse_loss", lr=lr, try_budget=passes)
    return [f for f in report.findings if f.code in ("GC601", "GC603")]


def test_an_update_that_raises_its_own_loss_is_suspected_and_training_confirms_it() -> None:
    (suspected,) = rising(0.015)
    assert (suspected.code, suspected.cause, suspected.severity.value) == ("GC603", "lr-too-high", "note")
    assert suspected.evidence["after"] > 1.1 * suspected.evidence["before"]
    (finding,) = rising(0.015, passes=800)
    assert finding.severity.value == "error" and finding.opinion.decision.value == "confirmed"
    assert finding.remedies[0].id == "lower-lr"


def test_an_update_that_lowers_it_is_well() -> None:
    assert rising(0.002) == []


def test_a_model_that_rises_first_and_trains_is_told_as_a_note() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(*(m for _ in range(8) for m in (nn.Linear(16, 16), nn.ReLU())), nn.Linear(16, 4))
    for module in model:
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    x = torch.randn(64, 16, generator=torch.Generator().manual_seed(2))
    report = check(model, (x, x.argmax(1) % 4), loss="cross_entropy", lr=0.02, optimizer="adam", try_budget=400)
    told = [f for f in report.findings if f.code == "GC603"]
    assert report.exit_code == 0
    assert all(f.severity.value == "note" and f.opinion.decision.value == "refuted" for f in told)


def test_a_loss_that_is_not_the_same_twice_is_not_held_against_itself() -> None:
    calls = []

    def noisy(model: nn.Module, data: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        calls.append(0)
        return F.mse_loss(model(data[0]), data[1]) * (1 + len(calls))

    assert not [f for f in check(Narrow(), valley(), step=noisy, lr=0.002).findings if f.code == "GC603"]


def test_what_is_learned_already_may_rise() -> None:
    torch.manual_seed(0)
    model, x = nn.Linear(4, 1), torch.randn(32, 4)
    report = check(model, (x, model(x).detach() + 1e-4), loss="mse_loss", lr=1e-2, optimizer="adam")
    assert [f.code for f in report.findings if f.severity.value != "note"] == []


# --------------------------------------------------------------------------- warm-up

ENCODER = """\
import torch
from torch import nn
import torch.nn.functional as F


class Chars(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(24, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, norm_first=NORM_FIRST)
        self.encoder = nn.TransformerEncoder(layer, 18, enable_nested_tensor=False)
        self.decoder = nn.Linear(32, 24)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.xavier_uniform_(p)

    def forward(self, ids):
        where = torch.sin(torch.arange(ids.size(1))[:, None] * torch.exp(-torch.arange(32) / 4))
        return self.decoder(self.encoder(self.emb(ids) * 32**0.5 + where))


def build_model():
    torch.manual_seed(21)
    return Chars()


def make_batch():
    g = torch.Generator().manual_seed(22)
    start, step = torch.randint(0, 24, (8, 1), generator=g), torch.randint(1, 5, (8, 1), generator=g)
    return (start + torch.arange(13) * step) % 24


def compute_loss(model, ids):
    return F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
"""


def warmed(tmp_path: Path, *, norm_first: bool, lr: float | None, passes: int) -> list:
    path = tmp_path / "chars.py"
    path.write_text(ENCODER.replace("NORM_FIRST", str(norm_first)))
    spec = CheckSpec(model=str(path), lr=lr, optimizer=Optimizer.ADAM, try_budget=passes)
    return [f for f in run_check(spec).findings if f.severity.value != "note"]


def test_a_deep_post_norm_encoder_without_warm_up(tmp_path: Path) -> None:
    (finding,) = warmed(tmp_path, norm_first=False, lr=1e-2, passes=60)
    assert (finding.code, finding.cause, finding.severity.value) == ("GC606", "no-warmup", "warning")
    assert finding.remedies[0].id in ("warmup", "lower-lr")
    assert finding.evidence["loss_slow"] < math.log(24) + 0.3


@pytest.mark.parametrize(
    ("norm_first", "lr", "passes"),
    [(True, 1e-2, 60), (False, 1e-4, 60), (False, None, 60), (False, 1e-2, 0)],
    ids=["pre-norm", "a small rate", "no rate", "no budget"],
)
def test_with_pre_norm_a_small_rate_or_no_budget_nothing_is_told(
    tmp_path: Path, norm_first: bool, lr: float | None, passes: int
) -> None:
    assert warmed(tmp_path, norm_first=norm_first, lr=lr, passes=passes) == []


# --------------------------------------------------------------------------- every batch

MASKED = """\
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
data = [(torch.randn(8, 4), torch.rand(8, 1)) for _ in range(4)]
for place in SPOILED:
    data[place][1][3] = -0.5


def compute_loss(model, batch):
    x, y = batch
    return F.mse_loss(model(x), torch.log(y + 1e-3) if LOG else y)
"""


def spoiled(tmp_path: Path, places: tuple[int, ...], *, log: bool = True) -> list:
    path = tmp_path / "masked.py"
    path.write_text(MASKED.replace("SPOILED", repr(places)).replace("LOG", str(log)))
    return [f for f in run_check(CheckSpec(model=str(path), batches=4)).findings if f.severity.value != "note"]


def test_a_nan_in_the_third_batch_is_a_finding_with_its_number(tmp_path: Path) -> None:
    (finding,) = spoiled(tmp_path, (2,))
    assert finding.code.startswith("GC1")
    assert finding.message.startswith("in batch 3 of 4: ")
    assert finding.evidence["batch"] == 3


def test_the_same_in_two_batches_is_told_once(tmp_path: Path) -> None:
    (finding,) = spoiled(tmp_path, (1, 3))
    assert finding.message.startswith("in batches 2 and 4 of 4: ")


def test_batches_that_are_well_are_well(tmp_path: Path) -> None:
    assert spoiled(tmp_path, ()) == []
    assert spoiled(tmp_path, (2,), log=False) == []


SATURATED = """\
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)
model = nn.Sequential(*(m for _ in range(3) for m in (nn.Linear(16, 16), nn.Tanh())), nn.Linear(16, 3))
data = [(torch.randn(32, 16) * (SCALE if place == 1 else 1.0), torch.randint(3, (32,))) for place in range(2)]
loss = F.cross_entropy
"""


@pytest.mark.parametrize(("scale", "codes"), [(1e4, ["GC206"]), (1.0, [])])
def test_remedies_are_tried_on_the_batch_that_shows_it(tmp_path: Path, scale: float, codes: list[str]) -> None:
    path = tmp_path / "saturated.py"
    path.write_text(SATURATED.replace("SCALE", repr(scale)))
    report = run_check(CheckSpec(model=str(path), batches=2, try_budget=300))
    findings = [f for f in report.findings if f.severity.value != "note"]
    assert [f.code for f in findings][:1] == codes
    for finding in findings:
        assert finding.message.startswith("in batch 2 of 2: ")
        assert any(remedy.trial.outcome != "not-tried" for remedy in finding.remedies)
