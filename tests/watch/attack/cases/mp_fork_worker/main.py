import multiprocessing as mp
from common import *
def score(state, q):
    net = mlp(); net.load_state_dict(state)
    x, y = batch(0)
    q.put(F.cross_entropy(net(x), y).item())
if __name__ == "__main__":
    ctx = mp.get_context("fork")
    net = mlp()
    opt = torch.optim.SGD(net.parameters(), 0.05)
    for i, (x, y) in enumerate(batches(20)):
        opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
        if i == 10:
            q = ctx.Queue(); p = ctx.Process(target=score, args=(net.state_dict(), q)); p.start()
            print(round(q.get(), 5)); p.join()
    print(digest(net))
