import os; os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
from common import *
from transformers import PrinterCallback, Trainer, TrainingArguments, BertConfig, BertForSequenceClassification, set_seed
set_seed(0)
net = BertForSequenceClassification(BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, num_labels=2))
g = torch.Generator().manual_seed(0)
data = [{"input_ids": (i := torch.randint(0, 50, (8,), generator=g)), "labels": (i[0] > 25).long()} for _ in range(64)]
args = TrainingArguments("out", per_device_train_batch_size=8, max_steps=12, logging_steps=4, save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True)
trainer = Trainer(model=net, args=args, train_dataset=data); trainer.remove_callback(PrinterCallback); trainer.train()
print(digest(net))
