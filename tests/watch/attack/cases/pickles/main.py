import pickle, subprocess, sys, io, os
from common import *
net = mlp(); opt = torch.optim.Adam(net.parameters(), 1e-2)
sched = torch.optim.lr_scheduler.StepLR(opt, 5)
for i, (x, y) in enumerate(batches(12)):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step(); sched.step()
torch.save({"model": net, "opt": opt, "sched": sched, "step": opt.step.__func__, "b": torch.Tensor.backward, "g": torch.autograd.grad}, "all.pt")
torch.save({"model": net.state_dict(), "opt": opt.state_dict()}, "states.pt")
pickle.dump((net, opt, sched), open("all.pkl", "wb"))
raw = open("all.pt", "rb").read() + open("states.pt", "rb").read() + open("all.pkl", "rb").read()
print(b"gradcheck" in raw)
env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k != "GRADCHECK_RUN"}
code = "import torch, pickle; a = torch.load('all.pt', weights_only=False); torch.load('states.pt'); b = pickle.load(open('all.pkl', 'rb')); print(sorted(a), len(b))"
r = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
print(r.stdout, r.stderr, digest(net))
