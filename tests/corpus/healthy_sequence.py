"""Healthy recurrent and sequence models of time series and sound."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import healthy
from tests.corpus.toys import classify, mlp, regress, waves
from tests.corpus.trained import ADAM, trains


class Recurrent(nn.Module):
    """Any of torch's recurrent layers and a linear head on the last step."""

    def __init__(self, kind: type[nn.RNNBase], outputs: int = 4, **options):
        super().__init__()
        self.rnn = kind(1, 32, batch_first=True, **options)
        self.head = nn.Linear(64 if self.rnn.bidirectional else 32, outputs)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


def running(rows: int, length: int, window: int) -> tuple[Tensor, Tensor]:
    """Noise (rows, length, 1) and its mean over the last `window` steps, scaled to unit variance."""
    x = torch.randn(rows, length, 1)
    return x, x[:, -window:].mean(1) * window**0.5


@healthy(field="timeseries", tricky="60 steps of gates, each below 1")
def lstm_default_60_steps():
    """An LSTM at PyTorch's default initialisation reads 60 steps; what matters is recent."""
    return Recurrent(nn.LSTM, 1), running(32, 60, 4), regress


@healthy(field="timeseries", tricky="two stacked layers over 20 steps with dropout between")
def lstm_stacked_20_steps():
    """Classifying waves by frequency."""
    return Recurrent(nn.LSTM, num_layers=2, dropout=0.1), waves(16, 20), classify


@healthy(field="timeseries", tricky="30 steps: early terms are smaller than late ones")
def gru_30_steps():
    """A GRU classifies waves by frequency."""
    return Recurrent(nn.GRU), waves(16, 30), classify


@healthy(field="timeseries", tricky="a plain tanh RNN, but a short sequence")
def tanh_rnn_12_steps():
    """Twelve steps are within reach of nn.RNN at its default initialisation."""
    return Recurrent(nn.RNN), waves(16, 12), classify


@healthy(field="timeseries", tricky="the backward direction's last output has seen one step only")
def bidirectional_rnn():
    """A bidirectional tanh RNN with a prediction at every step."""

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(1, 16, batch_first=True, bidirectional=True)
            self.head = nn.Linear(32, 1)

        def forward(self, x):
            return self.head(self.rnn(x)[0])

    x, _ = waves(16, 20)
    smooth = (x + x.roll(1, 1) + x.roll(-1, 1)) / 3
    return Tagger(), (x, smooth), regress


class LSTMCellLoop(nn.Module):
    """An LSTM cell by hand: one fused weight, gates by chunk, a Python loop, forget bias 1."""

    def __init__(self, inputs: int, hidden: int):
        super().__init__()
        self.gates = nn.Linear(inputs + hidden, 4 * hidden)
        nn.init.zeros_(self.gates.bias)
        nn.init.ones_(self.gates.bias[hidden : 2 * hidden].detach())
        self.hidden, self.out = hidden, nn.Linear(hidden, 4)

    def forward(self, x):
        h = c = x.new_zeros(len(x), self.hidden)
        for t in range(x.shape[1]):
            i, f, g, o = self.gates(torch.cat([x[:, t], h], 1)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return self.out(h)


@healthy(field="timeseries", tricky="one weight used 30 times through sigmoid gates")
def hand_written_lstm_cell():
    """A hand-written cell with forget bias 1."""
    return LSTMCellLoop(1, 32), waves(16, 30), classify


class OrthogonalRNN(nn.Module):
    """A linear recurrence with an orthogonal matrix."""

    def __init__(self, hidden: int = 32):
        super().__init__()
        self.recur = nn.Parameter(nn.init.orthogonal_(torch.empty(hidden, hidden)))
        self.read, self.head = nn.Linear(2, hidden), nn.Linear(hidden, 1)
        nn.init.normal_(self.read.weight, std=0.1)
        nn.init.zeros_(self.read.bias)

    def forward(self, x):
        h = torch.zeros(len(x), len(self.recur))
        for step in self.read(x).unbind(1):
            h = h @ self.recur + step
        return self.head(h)


@healthy(field="timeseries", tricky="200 steps; the norm neither grows nor decays", proof=trains(recipes=ADAM))
def orthogonal_rnn_200_steps():
    """The marked-sum task: add up the numbers that carry a mark, anywhere in 200 steps."""
    value, mark = torch.randn(32, 200), torch.zeros(32, 200)
    mark.scatter_(1, torch.rand(32, 200).argsort(1)[:, :2], 1.0)
    return OrthogonalRNN(), (torch.stack([value, mark], -1), (value * mark).sum(1, keepdim=True)), regress


class Truncated(nn.Module):
    """A GRU cell whose state is detached every ten steps."""

    def __init__(self, window: int = 10):
        super().__init__()
        self.window, self.cell, self.head = window, nn.GRUCell(1, 32), nn.Linear(32, 1)

    def forward(self, x):
        h, out = torch.zeros(len(x), 32), []
        for t in range(x.shape[1]):
            if t % self.window == 0:
                h = h.detach()
            h = self.cell(x[:, t], h)
            out.append(self.head(h))
        return torch.stack(out, 1)


@healthy(field="timeseries", tricky="the graph over time is cut on purpose every ten steps")
def truncated_bptt():
    """Truncated back-propagation through time, one-step-ahead forecasts."""
    x, _ = waves(16, 40)
    return Truncated(), (x[:, :-1], x[:, 1:]), regress


class DilatedConvolutions(nn.Module):
    """WaveNet-like: causal dilated convolutions, gated by tanh times sigmoid, with skips."""

    def __init__(self, width: int = 16, levels: int = 5):
        super().__init__()
        self.first = nn.Conv1d(1, width, 1)
        self.filters = nn.ModuleList(nn.Conv1d(width, 2 * width, 2, dilation=2**i) for i in range(levels))
        self.mix = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(levels))
        self.head = nn.Sequential(nn.ReLU(), nn.Conv1d(width, width, 1), nn.ReLU(), nn.Conv1d(width, 64, 1))

    def forward(self, x):
        x, skip = self.first(x.mT), 0
        for i, (wide, mix) in enumerate(zip(self.filters, self.mix, strict=True)):
            gate, value = wide(F.pad(x, (2**i, 0))).chunk(2, 1)
            out = mix(gate.sigmoid() * value.tanh())
            skip, x = skip + out, x + out
        return self.head(skip)


@healthy(
    field="audio",
    tricky="gates: sigmoid times tanh in every block",
)
def wavenet_gated():
    """Autoregressive modelling of 64-level audio samples."""
    x, _ = waves(8, 65)
    levels = ((x / 1.6).tanh().add(1).mul(31.9)).long().squeeze(-1)
    return DilatedConvolutions(), (x[:, :-1], levels[:, 1:]), classify


class Spectrogram(nn.Module):
    """Log-mel-like front end with a complex STFT, then a small CNN."""

    def __init__(self):
        super().__init__()
        self.mel = nn.Linear(33, 16, bias=False)
        nn.init.uniform_(self.mel.weight, 0, 0.1)
        self.net = nn.Sequential(
            nn.BatchNorm2d(1),
            nn.Conv2d(1, 8, 3),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32, 4),
        )

    def forward(self, wave):
        spectrum = torch.stft(wave, 64, 32, window=torch.hann_window(64), return_complex=True)
        power = spectrum.abs().square().mT
        return self.net(torch.log(self.mel(power).clamp_min(1e-6))[:, None])


@healthy(field="audio", tricky="log of power near 0, with the clamp that makes it safe")
def log_mel_classifier():
    """Keyword spotting on a learned filter bank; amplitudes of 16-bit audio brought to +-1."""
    x, y = waves(16, 512)
    return Spectrogram(), (0.3 * x.squeeze(-1), y), classify


class Speech(nn.Module):
    """Strided convolution, bidirectional GRU, characters."""

    def __init__(self, symbols: int = 8):
        super().__init__()
        self.conv = nn.Conv1d(12, 24, 3, padding=1)
        self.rnn = nn.GRU(24, 24, batch_first=True, bidirectional=True)
        self.head = nn.Linear(48, symbols)

    def forward(self, x):
        return self.head(self.rnn(F.gelu(self.conv(x.mT)).mT)[0]).log_softmax(-1)


@healthy(field="audio", tricky="CTC: most frames are blank; targets of different length, all feasible")
def ctc_speech():
    """Four to six symbols, each sounding for several of 40 frames."""
    lengths = torch.randint(4, 7, (12,))
    labels = torch.randint(1, 8, (12, 6))
    frames = labels.repeat_interleave(6, 1)
    x = F.one_hot(F.pad(frames, (2, 2)), 12).float() + 0.2 * torch.randn(12, 40, 12)

    def step(model, batch):
        sound, target, size = batch
        full = torch.full((len(sound),), sound.shape[1])
        return F.ctc_loss(model(sound).transpose(0, 1), target, full, size)

    return Speech(), (x, labels, lengths), step


@healthy(
    field="timeseries",
    tricky="a Gaussian likelihood: the loss is negative and falls further",
    proof=trains(floor=-4.0),
)
def probabilistic_forecast():
    """DeepAR-like: mean and log-scale from a GRU, NLL of a nearly noiseless series."""

    def step(model, batch):
        mean, log_scale = model(batch[0]).chunk(2, -1)
        error = (batch[1] - mean) / log_scale.exp()
        return (0.5 * error.square() + log_scale).mean()

    t = torch.arange(41) / 4
    x = torch.sin(t + 6 * torch.rand(32, 1))[..., None]
    return Recurrent(nn.GRU, 2), (x[:, :-1], x[:, -1]), step


class NLinear(nn.Module):
    """One linear map over the window after subtracting its last value, shared by 20 channels."""

    def __init__(self):
        super().__init__()
        self.line = nn.Linear(24, 8)

    def forward(self, x):
        last = x[..., -1:].detach()
        return self.line(x - last) + last


@healthy(field="timeseries", tricky="levels of 1e4 with steps of 1; a detached last value is added back")
def linear_forecaster_offset():
    """Long-horizon forecasts of levels by a single linear layer (NLinear)."""
    t = torch.arange(32.0)
    x = torch.sin(0.5 * t + 6 * torch.rand(16, 20, 1)) + 1e4
    return NLinear(), (x[..., :24], x[..., 24:]), regress


class StateSpace(nn.Module):
    """A diagonal linear state space layer with complex parameters (S4D), run as a convolution."""

    def __init__(self, width: int = 16, states: int = 8):
        super().__init__()
        self.rate = nn.Parameter(torch.log(0.5 * torch.ones(width, states)))
        self.frequency = nn.Parameter(0.3 * torch.arange(states).repeat(width, 1))
        self.mix = nn.Parameter(torch.randn(width, states, dtype=torch.cfloat) / states)
        self.read, self.head = nn.Linear(1, width), nn.Linear(width, 4)

    def forward(self, x):
        u = self.read(x).mT
        length = u.shape[-1]
        poles = torch.complex(-self.rate.exp(), self.frequency) * 0.2
        kernel = (self.mix[..., None] * torch.exp(poles[..., None] * torch.arange(length))).sum(1).real
        y = torch.fft.irfft(torch.fft.rfft(u, 2 * length) * torch.fft.rfft(kernel, 2 * length))[..., :length]
        return self.head(F.gelu(y).mean(-1))


@healthy(field="timeseries", tricky="complex parameters: their gradients are complex too")
def state_space_complex():
    """Classifying waves with a diagonal state space layer."""
    return StateSpace(), waves(16, 64), classify


@healthy(field="timeseries", tricky="a long pad of zeros in front: early steps carry no information")
def left_padded_gru():
    """Short series padded on the left with zeros to 50 steps."""
    x, y = waves(16, 20)
    return Recurrent(nn.GRU), (F.pad(x, (0, 0, 30, 0)), y), classify


class Autoencoder(nn.Module):
    """LSTM encoder, one vector, LSTM decoder that unrolls its own output."""

    def __init__(self):
        super().__init__()
        self.encoder, self.cell = nn.LSTM(1, 24, batch_first=True), nn.LSTMCell(1, 24)
        self.start, self.out = nn.Parameter(torch.zeros(1)), nn.Linear(24, 1)

    def forward(self, x):
        h, c = (s[0] for s in self.encoder(x)[1])
        y, result = self.start.expand(len(x), 1), []
        for _ in range(x.shape[1]):
            h, c = self.cell(y, (h, c))
            y = self.out(h)
            result.append(y)
        return torch.stack(result, 1)


@healthy(
    field="timeseries",
    tricky="the gradient passes a decoder and an encoder in time",
    proof=trains(0.8, recipes=ADAM),
)
def sequence_autoencoder():
    """A sequence of 15 values through a bottleneck of one state."""
    x, _ = waves(16, 15)
    return Autoencoder(), (x, x), regress


@healthy(field="timeseries", tricky="an echo state: the reservoir is a fixed buffer")
def echo_state_readout():
    """A fixed random reservoir; only the readout learns."""

    class Reservoir(nn.Module):
        def __init__(self):
            super().__init__()
            w = torch.randn(64, 64)
            self.register_buffer("recur", 0.9 * w / torch.linalg.eigvals(w).abs().max())
            self.register_buffer("inputs", torch.randn(1, 64))
            self.readout = mlp(64, 32, 4)

        def forward(self, x):
            h = torch.zeros(len(x), 64)
            for t in range(x.shape[1]):
                h = torch.tanh(x[:, t] @ self.inputs + h @ self.recur)
            return self.readout(h)

    return Reservoir(), waves(16, 30), classify
