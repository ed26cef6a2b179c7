"""Words spelled backwards, by a trainer of one's own: own answers are fed back more and more, batches are gathered by threes."""
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Words(Dataset):
    def __init__(self, size, letters=8):
        self.words = torch.randint(2, 2 + letters, (size, 5))

    def __len__(self):
        return len(self.words)

    def __getitem__(self, k):
        return {"input_ids": self.words[k], "labels": self.words[k].flip(0)}


class Speller(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.table = nn.Embedding(10, 24, padding_idx=0)
        self.encoder = nn.GRU(24, width, batch_first=True)
        self.cell = nn.GRUCell(24, width)
        self.out = nn.Linear(width, 10)

    def forward(self, input_ids, labels=None, own=0.0):
        _, h = self.encoder(self.table(input_ids))
        h, token, scores = h[0], torch.ones(len(input_ids), dtype=torch.long), []
        for k in range(input_ids.shape[1]):
            h = self.cell(self.table(token), h)
            scores.append(self.out(h))
            answer = scores[-1].argmax(1)
            token = answer if labels is None else torch.where(torch.rand(len(token)) < own, answer, labels[:, k])
        scores = torch.stack(scores, 1)
        loss = None if labels is None else nn.functional.cross_entropy(scores.flatten(0, 1), labels.flatten())
        return {"loss": loss, "logits": scores}


@dataclass
class Arguments:
    epochs: int = 12
    batch_size: int = 32
    gather: int = 3
    learning_rate: float = 8e-3
    warmup_ratio: float = 0.06
    max_grad_norm: float = 1.0
    weight_decay: float = 0.01


class Trainer:
    def __init__(self, model, args, train):
        self.model, self.args = model, args
        self.loader = DataLoader(train, batch_size=args.batch_size, shuffle=True)
        decayed = [p for p in model.parameters() if p.ndim > 1]
        rest = [p for p in model.parameters() if p.ndim == 1]
        groups = [{"params": decayed, "weight_decay": args.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=args.learning_rate)
        self.total = args.epochs * math.ceil(len(self.loader) / args.gather)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self.rate)

    def rate(self, step):
        first = max(1, int(self.args.warmup_ratio * self.total))
        return step / first if step < first else max(0.0, (self.total - step) / (self.total - first))

    def training_step(self, inputs, own, share):
        self.model.train()
        loss = self.model(**inputs, own=own)["loss"]
        (loss * share).backward()
        return loss.detach()

    def train(self):
        done = 0
        for epoch in range(self.args.epochs):
            batches = list(self.loader)
            for k, inputs in enumerate(batches):
                start = k - k % self.args.gather
                share = 1 / len(batches[start : start + self.args.gather])
                loss = self.training_step(inputs, 0.5 * epoch / self.args.epochs, share)
                if (k + 1) % self.args.gather == 0 or k + 1 == len(batches):
                    nn.utils.clip_grad_norm_(self.model.parameters(), self.args.max_grad_norm)
                    self.optimizer.step()
                    self.scheduler.step()
                    self.model.zero_grad()
                    done += 1
            print({"epoch": epoch, "step": done, "loss": round(loss.item(), 4), "exact": self.evaluate()})

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        batch = next(iter(DataLoader(self.loader.dataset, batch_size=400)))
        return (self.model(batch["input_ids"])["logits"].argmax(2) == batch["labels"]).all(1).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(736)
    Trainer(Speller(), Arguments(), Words(2500)).train()
