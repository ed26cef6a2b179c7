"""A small net learns from the softened answers of a large one that stays as it is, and from labels."""
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(327)
centres = torch.randn(6, 16)


def data(n=64):
    kind = torch.randint(0, 6, (n,))
    return centres[kind] + 0.9 * torch.randn(n, 16), kind


teacher = nn.Sequential(nn.Linear(16, 128), nn.ReLU(), nn.Linear(128, 6))
optimizer = torch.optim.Adam(teacher.parameters(), lr=3e-3)
for _ in range(120):
    x, y = data()
    loss = F.cross_entropy(teacher(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
teacher.eval().requires_grad_(False)

student = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 6))
optimizer = torch.optim.Adam(student.parameters(), lr=5e-3)
T = 4.0
for _ in range(250):
    x, y = data()
    answer = student(x)
    soft = F.kl_div(F.log_softmax(answer / T, 1), F.log_softmax(teacher(x) / T, 1), reduction="batchmean", log_target=True)
    loss = 0.7 * T * T * soft + 0.3 * F.cross_entropy(answer, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
with torch.no_grad():
    x, y = data(1500)
    print("student", (student(x).argmax(1) == y).float().mean().item(), "teacher", (teacher(x).argmax(1) == y).float().mean().item())
