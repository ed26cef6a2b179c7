"""Documents of several lengths are laid out in one block for attention; runs are made repeatable."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.use_deterministic_algorithms(True)


class Reader(nn.Module):
    def __init__(self, vocab=50, width=32):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.attend = nn.MultiheadAttention(width, 4, batch_first=True)
        self.head = nn.Linear(width, 3)

    def lay_out(self, flat, lengths):
        block = flat.new_empty(len(lengths), max(lengths), flat.shape[-1])
        start = 0
        for row, n in enumerate(lengths):
            block[row, :n] = flat[start:start + n]
            start += n
        return block

    def forward(self, tokens, lengths):
        lengths = lengths.tolist()
        h = self.lay_out(self.embed(tokens), lengths)
        padded = torch.arange(h.shape[1]) >= torch.tensor(lengths)[:, None]
        mixed, _ = self.attend(h, h, h, key_padding_mask=padded, need_weights=False)
        return self.head(mixed[:, 0])


def build_model():
    torch.manual_seed(551)
    return Reader()


def make_batch():
    g = torch.Generator().manual_seed(552)
    lengths = torch.tensor([9, 4, 7, 9, 6, 8])
    return torch.randint(50, (int(lengths.sum()),), generator=g), lengths, torch.randint(3, (6,), generator=g)


def compute_loss(model, batch):
    tokens, lengths, y = batch
    return F.cross_entropy(model(tokens, lengths), y)
