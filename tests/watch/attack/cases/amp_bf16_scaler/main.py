from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05); sc = torch.amp.GradScaler("cpu", init_scale=1024.)
for x, y in batches(20):
    with torch.autocast("cpu", torch.bfloat16): loss = F.cross_entropy(net(x), y)
    opt.zero_grad(); sc.scale(loss).backward(); sc.unscale_(opt); nn.utils.clip_grad_norm_(net.parameters(), 1.); sc.step(opt); sc.update()
print(sc.get_scale(), digest(net))
