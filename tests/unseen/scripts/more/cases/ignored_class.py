"""Tag every word of a line: 0 is a plain word, 1 is a name; lines are filled up with 0 as well."""
import torch
from torch import nn

torch.manual_seed(308)
PAD = 0
VOCABULARY = 60
is_name = (torch.rand(VOCABULARY) < 0.4).long()


def lines(n=32, length=12):
    words = torch.randint(1, VOCABULARY, (n, length))
    tags = is_name[words]
    lengths = torch.randint(6, length + 1, (n, 1))
    filled = torch.arange(length) >= lengths
    return words.masked_fill(filled, 0), tags.masked_fill(filled, PAD), filled


tagger = nn.Sequential(nn.Embedding(VOCABULARY, 16), nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(tagger.parameters(), lr=5e-3)
for step in range(1, 201):
    words, tags, _ = lines()
    logits = tagger(words)
    loss = nn.functional.cross_entropy(logits.view(-1, 2), tags.view(-1), ignore_index=PAD)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(step, f"loss {loss.item():.4f}")
words, _, filled = lines(500)
with torch.no_grad():
    found = tagger(words).argmax(-1)
truth = is_name[words]
plain = ~filled & (truth == 0)
print("plain words found", f"plain {((found == 0) & plain).sum().item() / plain.sum().item():.3f}")
