import warnings, logging; warnings.simplefilter("ignore")
import lightning as L
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
from common import *
from torch.utils.data import DataLoader, TensorDataset
class Lit(L.LightningModule):
    def __init__(self): super().__init__(); self.net = mlp()
    def training_step(self, b, i): return F.cross_entropy(self.net(b[0]), b[1])
    def configure_optimizers(self): return torch.optim.Adam(self.parameters(), 1e-3)
L.seed_everything(0, verbose=False)
m = Lit(); d = TensorDataset(torch.randn(96, 8), torch.randint(0, 4, (96,)))
L.Trainer(max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu").fit(m, DataLoader(d, 16))
print(digest(m))
