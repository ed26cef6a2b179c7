import torch
import torch.nn as nn
import torch.nn.functional as F


class VectorQuantizer(nn.Module):
    def __init__(self, k, d, beta=0.25):
        super().__init__()
        self.embedding = nn.Embedding(k, d)
        self.embedding.weight.data.normal_(std=0.5)
        self.beta = beta

    def forward(self, z):
        flat = z.reshape(-1, z.size(-1))
        dist = flat.pow(2).sum(1, keepdim=True) - 2 * flat @ self.embedding.weight.t() + self.embedding.weight.pow(2).sum(1)
        q = self.embedding(dist.argmin(1)).view_as(z)
        loss = F.mse_loss(q, z.detach()) + self.beta * F.mse_loss(z, q.detach())
        return z + (q - z).detach(), loss


class VQVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Conv1d(4, 32, 4, 2, 1), nn.ReLU(), nn.Conv1d(32, 32, 4, 2, 1), nn.ReLU(), nn.Conv1d(32, 16, 1))
        self.vq = VectorQuantizer(64, 16)
        self.dec = nn.Sequential(nn.ConvTranspose1d(16, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose1d(32, 4, 4, 2, 1))

    def forward(self, x):
        q, vq_loss = self.vq(self.enc(x).transpose(1, 2))
        return self.dec(q.transpose(1, 2)), vq_loss


def build_model():
    torch.manual_seed(6)
    return VQVAE()


def make_batch():
    g = torch.Generator().manual_seed(61)
    motifs = torch.randint(0, 4, (6, 8), generator=g)
    seq = motifs[torch.randint(0, 6, (64, 4), generator=g)].view(64, 32)
    return F.one_hot(seq, 4).float().transpose(1, 2)


def compute_loss(model, x):
    recon, vq_loss = model(x)
    return F.mse_loss(recon, x) / 0.1875 + vq_loss
