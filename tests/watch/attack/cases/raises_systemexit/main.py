from common import *
torch.manual_seed(0)
class Trainer:
    def __init__(self):
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        self.opt = torch.optim.SGD(self.net.parameters(), lr=0.01)
    def batches(self):
        for i in range(12):
            x = torch.rand(16, 4)
            if i == 8:
                x[3, 1] = -1
            yield x, torch.randn(16, 1)
    def guard(self, loss):
        def leave():
            raise SystemExit(3)
        if not torch.isfinite(loss.detach()):
            leave()
    def losses(self):
        for x, y in self.batches():
            loss = (self.net(torch.log(x)) - y).square().mean()  # HERE
            self.guard(loss)
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()
            yield loss.item()
    def fit(self):
        return sum(self.losses())
print(Trainer().fit())
