"""Who is it? Every batch holds four of twenty people, four pictures of each: for pulling alike ones together."""
import torch
from torch import nn

torch.manual_seed(631)
people, each = 20, 40
face = torch.randn(people, 24)
pictures = face[:, None] + 0.6 * torch.randn(people, each, 24)


class Faces(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(24, 96), nn.ReLU(), nn.Linear(96, 32))
        self.who = nn.Linear(32, people)

    def forward(self, x):
        code = self.body(x)
        return code, self.who(code)


def hardest(code, who):
    apart = torch.cdist(code, code)
    alike = who[:, None] == who[None]
    far = (apart - 1e6 * ~alike).max(1).values
    near = (apart + 1e6 * alike).min(1).values
    return torch.relu(far - near + 0.5).mean()


model = Faces()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for step in range(1, 351):
    chosen = torch.randperm(people)[:4]
    who = chosen.repeat_interleave(4)
    x = torch.stack([pictures[p, k] for p in chosen for k in torch.randperm(each)[:4]])
    code, scores = model(x)
    loss = nn.functional.cross_entropy(scores, who) + hardest(code, who)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        with torch.no_grad():
            right = (model(pictures)[1].argmax(2) == torch.arange(people)[:, None]).float().mean().item()
        print(step, f"loss {loss.item():.4f} accuracy {right:.3f}")
