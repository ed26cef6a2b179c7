import torch
import torch.nn as nn
import torch.nn.functional as F


class TopicNet(nn.Module):
    def __init__(self, vocab=120, hidden=128, topics=30):
        super().__init__()
        self.fc1 = nn.Linear(vocab, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, topics)

    def forward(self, counts):
        h = F.relu(self.fc1(torch.log1p(counts)))
        h = F.relu(self.fc2(h))
        return F.log_softmax(self.out(h), dim=1)


def build_model():
    torch.manual_seed(525)
    return TopicNet()


def make_batch(n=240):
    g = torch.Generator().manual_seed(526)
    y = torch.randint(0, 30, (n,), generator=g)
    rate = 3 * torch.rand(30, 120, generator=g) ** 2 * 6
    return torch.poisson(rate[y], generator=g), y


criterion = nn.CrossEntropyLoss()


def compute_loss(model, batch):
    counts, y = batch
    return criterion(model(counts), y)
