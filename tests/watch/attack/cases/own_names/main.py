import os, sys
for name in ("watch", "session", "gradcheck_cli", "sitecustomize", "usercustomize", "rich", "typer", "records"):
    with open(name + ".py", "w") as f: f.write(f"WHO = 'mine {name}'\n")
import watch, session, gradcheck_cli, rich, typer, records
print(watch.WHO, session.WHO, gradcheck_cli.WHO, rich.WHO, typer.WHO, records.WHO)
from common import *
net = mlp(); opt = torch.optim.SGD(net.parameters(), 0.05)
for x, y in batches(12):
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
print(digest(net), gradcheck_cli.WHO)
