"""Policy gradient on logged choices, weighted by how likely the policy finds them now against then; a process of its own."""
import torch
import torch.multiprocessing as mp
from torch import nn

ARMS, DIM = 5, 8


def logged(step, best, n=48):
    x = torch.randn(n, DIM)
    then = torch.log_softmax(0.3 * torch.randn(n, ARMS), 1)
    arm = torch.distributions.Categorical(logits=then).sample()
    gain = (x @ best).gather(1, arm[:, None]).squeeze(1) / 3 + 0.3 * torch.randn(n)
    old = then.gather(1, arm[:, None]).squeeze(1)
    if step == 52:
        old[30] = -120.0                     # written by another version of the server
    return x, arm, gain - gain.mean(), old


def learn(rank, steps):
    torch.set_num_threads(1)
    torch.manual_seed(108 + rank)
    best = torch.randn(DIM, ARMS)
    policy = nn.Sequential(nn.Linear(DIM, 32), nn.Tanh(), nn.Linear(32, ARMS))
    optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
    for step in range(1, steps + 1):
        x, arm, advantage, old = logged(step, best)
        logp = torch.log_softmax(policy(x), 1).gather(1, arm[:, None]).squeeze(1)
        ratio = torch.exp(logp - old)
        loss = -(ratio * advantage).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            print(step, f"{loss.item():.4f}", flush=True)
    x = torch.randn(2000, DIM)
    print("share of the best arm", (policy(x).argmax(1) == (x @ best).argmax(1)).float().mean().item(), flush=True)


if __name__ == "__main__":
    mp.spawn(learn, args=(160,), nprocs=1)
