"""Sentiment of short reviews: embeddings, attention pooling over what is not padding, bfloat16."""
import torch
from torch import nn

torch.manual_seed(104)
VOCAB, PAD, LENGTH = 60, 0, 14


def reviews(step, n=32):
    words = torch.randint(1, VOCAB, (n, LENGTH))
    length = torch.randint(4, LENGTH + 1, (n,))
    if step == 66:
        length[21] = 0                       # an empty review
    words[torch.arange(LENGTH)[None] >= length[:, None]] = PAD
    good = ((words > 45).sum(1) > (words.gt(0) & words.lt(16)).sum(1)).long()
    return words, good


class Pooler(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, width)
        self.mix = nn.Linear(width, width)
        self.score = nn.Linear(width, 1)
        self.out = nn.Linear(width, 2)

    def forward(self, words):
        h = torch.tanh(self.mix(self.embed(words)))
        score = self.score(h).squeeze(-1).masked_fill(words == PAD, float("-inf"))
        weight = torch.softmax(score, dim=1)
        return self.out((weight[..., None] * h).sum(1))


net = Pooler()
opt = torch.optim.AdamW(net.parameters(), lr=5e-3)
recent = []
for step in range(1, 201):
    words, good = reviews(step)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = net(words)
        loss = nn.functional.cross_entropy(logits.float(), good)
    opt.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    opt.step()
    recent = [*recent[-24:], (logits.argmax(1) == good).float().mean().item()]
    if step % 25 == 0:
        print(step, f"loss {loss.item():.3f}  accuracy {sum(recent) / len(recent):.3f}")
