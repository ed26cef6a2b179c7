import torch
import torch.nn as nn
import torch.nn.functional as F


class ChatLM(nn.Module):
    def __init__(self, vocab=64, d=32):
        super().__init__()
        self.emb = nn.Embedding(vocab, d)
        self.rnn = nn.LSTM(d, d, batch_first=True)
        self.head = nn.Linear(d, vocab)

    def forward(self, ids):
        return self.head(self.rnn(self.emb(ids))[0])


def pack(prompts, answers, limit):
    ids, labels = [], []
    for p, a in zip(prompts, answers):
        row = torch.cat([p, a])[:limit]
        lab = torch.cat([torch.full_like(p, -100), a])[:limit]
        ids.append(F.pad(row, (0, limit - len(row))))
        labels.append(F.pad(lab, (0, limit - len(lab)), value=-100))
    return torch.stack(ids), torch.stack(labels)


def build_model():
    torch.manual_seed(351)
    return ChatLM()


def make_batch():
    g = torch.Generator().manual_seed(352)
    prompts = [torch.randint(1, 64, (n,), generator=g) for n in (18, 21, 17)]
    answers = [torch.randint(1, 64, (6,), generator=g) for _ in prompts]
    return pack(prompts, answers, 16)


def compute_loss(model, batch):
    ids, labels = batch
    logits = model(ids[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
