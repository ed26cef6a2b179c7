from common import *
torch.manual_seed(0)
w = nn.Parameter(torch.tensor([0.5])); x = torch.linspace(.1, 1, 20)
opt = torch.optim.LBFGS([w], lr=5.0, max_iter=4)
for i in range(6):
    def closure():
        opt.zero_grad()
        loss = torch.log(w * x).pow(2).mean()  # HERE
        loss.backward()
        return loss
    print(opt.step(closure).item() >= 0)
