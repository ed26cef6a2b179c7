import multiprocessing as mp
from common import *
def train(seed):
    torch.set_num_threads(1)
    net = mlp(seed=seed); opt = torch.optim.SGD(net.parameters(), 0.05)
    for x, y in batches(15, seed):
        opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
    return digest(net)
if __name__ == "__main__":
    with mp.get_context("spawn").Pool(2) as pool:
        print(pool.map(train, [1, 2]))
