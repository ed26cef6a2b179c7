from common import *
torch.manual_seed(0); emb = nn.Embedding(250_000, 4, sparse=True); head = nn.Linear(4, 4)
opt = torch.optim.SparseAdam(emb.parameters(), 1e-2); opt2 = torch.optim.SGD(head.parameters(), 0.1)
g = torch.Generator().manual_seed(0)
for i in range(15):
    ids = torch.randint(0, 250_000, (16,), generator=g); y = ids % 4
    opt.zero_grad(); opt2.zero_grad()
    F.cross_entropy(head(emb(ids)), y).backward(); opt.step(); opt2.step()
print(digest(emb, head))
