import torch
import torch.nn as nn


class Policy(nn.Module):
    def __init__(self, obs=10, actions=5):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(obs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.pi = nn.Linear(64, actions)
        nn.init.orthogonal_(self.pi.weight, 0.01)
        nn.init.zeros_(self.pi.bias)

    def forward(self, obs):
        return torch.distributions.Categorical(logits=self.pi(self.body(obs)))


def build_model():
    torch.manual_seed(5121)
    return Policy()


def make_batch(n=512):
    """One rollout, collected by the policy as it is now."""
    g = torch.Generator().manual_seed(5122)
    obs = torch.randn(n, 10, generator=g)
    with torch.no_grad():
        d = build_model()(obs)
        act = torch.multinomial(d.probs, 1, generator=g).squeeze(1)
        logp = d.log_prob(act)
    gain = obs[:, :5].gather(1, act[:, None]).squeeze(1) + 0.2 * torch.randn(n, generator=g)
    adv = (gain - gain.mean()) / gain.std()
    return {"obs": obs, "act": act, "logp": logp, "adv": adv}


def compute_loss(model, batch):
    ratio = (model(batch["obs"]).log_prob(batch["act"]) - batch["logp"]).exp()
    adv = batch["adv"]
    return -torch.min(ratio * adv, ratio.clamp(0.8, 1.2) * adv).mean()
