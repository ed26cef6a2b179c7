import torch
import torch.nn as nn


class PoseHead(nn.Module):
    def __init__(self, joints=5):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(inplace=True),
            nn.Conv2d(24, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(inplace=True),
        )
        self.deconv = nn.Sequential(
            nn.ConvTranspose2d(24, 24, 4, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU(inplace=True)
        )
        self.final = nn.Conv2d(24, joints, 1)
        nn.init.normal_(self.final.weight, std=0.001)
        nn.init.zeros_(self.final.bias)

    def forward(self, x):
        return self.final(self.deconv(self.stem(x)))


class JointsMSELoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.criterion = nn.MSELoss()

    def forward(self, output, target, weight):
        loss = 0
        for j in range(output.size(1)):
            loss = loss + 0.5 * self.criterion(output[:, j] * weight[:, j], target[:, j] * weight[:, j])
        return 1e-2 * loss / output.size(1)


def build_model():
    torch.manual_seed(6)
    return PoseHead()


def make_batch(n=12):
    g = torch.Generator().manual_seed(60)
    pos = torch.randint(4, 28, (n, 5, 2), generator=g)
    t = torch.arange(32.0)
    d2 = (t[None, None, :, None] - pos[..., 1, None, None]) ** 2 + (t[None, None, None, :] - pos[..., 0, None, None]) ** 2
    target = torch.exp(-d2 / (2 * 1.5 ** 2))
    code = torch.tensor([1.0, -1.0, 2.0, -2.0, 0.5])[None, :, None, None]
    img = nn.functional.avg_pool2d((code * target).sum(1, keepdim=True), 2)
    weight = (torch.rand(n, 5, 1, 1, generator=g) > 0.1).float()
    return img, target, weight


def compute_loss(model, batch):
    img, target, weight = batch
    return JointsMSELoss()(model(img), target, weight)
