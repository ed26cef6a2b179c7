"""Data for the scripts, in the formats that they read: digits of scikit-learn, text of Python, and made-up pictures."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tests.unseen.healthy.corpora import shipped, text

Maker = Callable[[Path], None]


def pictures(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The digits as (N, size, size) bytes, and their classes."""
    table = shipped("digits")
    x = torch.nn.functional.interpolate(table.x.view(-1, 1, 8, 8), size, mode="bilinear")
    return (x[:, 0] * 255).byte().numpy(), table.y.numpy()


def mnist(rows: int) -> Maker:
    """The four files of MNIST under ../data, of so many rows: the digits over and over."""

    def make(place: Path) -> None:
        raw = place.parent / "data" / "MNIST" / "raw"
        raw.mkdir(parents=True)
        x, y = pictures(28)
        for part, count in (("train", rows), ("t10k", 100)):
            at = np.arange(count) % len(x)
            (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, count, 28, 28) + x[at].tobytes())
            labels = y[at].astype(np.uint8).tobytes()
            (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, count) + labels)

    return make


def mnist_above(rows: int, levels: int, name: str) -> Maker:
    """The same in a folder some levels above the script's."""

    def make(place: Path) -> None:
        top = place.joinpath(*[".."] * levels).resolve() / name
        top.mkdir(parents=True, exist_ok=True)
        mnist(rows)(top / "x")
        (top / "data" / "MNIST").rename(top / "MNIST")

    return make


def folders(place: Path) -> None:
    """Pictures by class, as ImageFolder reads them, for training and validation."""
    x, y = pictures(32)
    for part, at in (("train", range(400)), ("val", range(400, 480))):
        for i in at:
            if y[i] < 4:
                folder = place / "pictures" / part / f"class{y[i]}"
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(x[i]).convert("RGB").save(folder / f"{i}.png")


def coloured(place: Path) -> None:
    """Twenty smooth pictures of 256 pixels, where the examples of super resolution look for BSDS300."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 16), ("test", 4)):
        folder = place / "dataset" / "BSDS300" / "images" / part
        folder.mkdir(parents=True)
        for i in range(count):
            small = Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8))
            small.resize((256, 256), Image.Resampling.BICUBIC).save(folder / f"{i}.png")


def waves(place: Path) -> None:
    """Sines, as `generate_sine_wave.py` makes them, but fewer and shorter."""
    rng = np.random.default_rng(2)
    x = np.arange(40)[None] + rng.integers(-80, 80, (12, 1))
    torch.save(np.sin(x / 5.0).astype("float64"), place / "traindata.pt")


def words(place: Path) -> None:
    lines = text().splitlines()
    folder = place / "data" / "words"
    folder.mkdir(parents=True)
    for part, (first, last) in {"train": (0, 400), "valid": (400, 430), "test": (430, 460)}.items():
        (folder / f"{part}.txt").write_text("\n".join(lines[first:last]), encoding="utf-8")


def names(place: Path) -> None:
    """Words of the text, one a line."""
    found = sorted({word for word in text().lower().split() if word.isalpha() and word.isascii()})
    (place / "names.txt").write_text("\n".join(found), encoding="ascii")


def characters(place: Path) -> None:
    (place / "input.txt").write_text("O God, O God!\n" + text()[:20_000], encoding="utf-8")
    (place / "out" / "chargpt").mkdir(parents=True)


def tokens(place: Path) -> None:
    """Characters as numbers, as `prepare.py` of nanoGPT writes them."""
    read = text()[:20_000]
    known = sorted(set(read))
    ids = np.array([known.index(c) for c in read], dtype=np.uint16)
    folder = place / "data" / "tiny"
    folder.mkdir(parents=True)
    ids[:18_000].tofile(folder / "train.bin")
    ids[18_000:].tofile(folder / "val.bin")
    meta = {"vocab_size": len(known), "itos": dict(enumerate(known)), "stoi": {c: i for i, c in enumerate(known)}}
    (folder / "meta.pkl").write_bytes(pickle.dumps(meta))


def bert(place: Path) -> None:
    """A BERT of random weights and its tokenizer in a folder, and stand-ins for the hub's `datasets` and `evaluate`."""
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    vocabulary = place / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *PARTS]), encoding="ascii")
    folder = place / "bert-base-cased"
    BertTokenizerFast(vocab=str(vocabulary)).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=5 + len(PARTS), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    for module, source in STAND_INS.items():
        (place / f"{module}.py").write_text(source, encoding="ascii")


PARTS = [f"w{i}" for i in range(20)]
STAND_INS = {
    "datasets": '''
import random


class Split(list):
    def map(self, f, batched, remove_columns):
        made = f({key: [row[key] for row in self] for key in self[0]})
        kept = [{k: v for k, v in row.items() if k not in remove_columns} for row in self]
        return Split({**old, **{key: made[key][i] for key in made}} for i, old in enumerate(kept))


class Splits(dict):
    def map(self, f, batched, remove_columns):
        return Splits({name: split.map(f, batched, remove_columns) for name, split in self.items()})

    def rename_column(self, old, new):
        for split in self.values():
            for row in split:
                row[new] = row.pop(old)
        return self


def load_dataset(*names):
    """Pairs of sentences that begin with the same word, or do not."""
    rng = random.Random(0)

    def row(i):
        one, two = ([f"w{rng.randrange(20)}" for _ in range(5)] for _ in range(2))
        label = i % 2
        two[0] = one[0] if label else two[0]
        return {"idx": i, "sentence1": " ".join(one), "sentence2": " ".join(two), "label": label}

    return Splits(train=Split(map(row, range(960))), validation=Split(map(row, range(64))))
''',
    "evaluate": """
class Metric:
    def __init__(self):
        self.right = []

    def add_batch(self, predictions, references):
        self.right += (predictions == references).tolist()

    def compute(self):
        return {"accuracy": sum(self.right) / len(self.right)}


def load(*names):
    return Metric()
""",
}
MAKERS: dict[str, Maker] = {
    "mnist": mnist(3000),
    "mnist above": mnist_above(3000, 3, "Datasets"),
    "mnist of the gans": mnist_above(3000, 2, "data/mnist"),
    "folders": folders,
    "coloured": coloured,
    "waves": waves,
    "words": words,
    "names": names,
    "characters": characters,
    "tokens": tokens,
    "bert": bert,
    "nothing": lambda place: None,
}
