cells = ["from common import *\nnet = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)\n",
"def step(x, y, i):\n    z = net(x)\n    if i == 8: z = z * float('inf')\n    opt.zero_grad(); F.cross_entropy(z, y).backward(); opt.step()\n",
"for i, (x, y) in enumerate(batches(12)): step(x, y, i)\nprint('done')\n"]
space = {"__name__": "__main__"}
for i, c in enumerate(cells): exec(compile(c, f"<ipython-input-{i}>", "exec"), space)
