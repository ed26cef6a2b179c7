"""Write optdigits.npz and wine.csv, the data of the samples, from scikit-learn's copies (offline).

    python -m pip install scikit-learn
    python samples/data/export.py

Both files come out byte for byte the same each time.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits, load_wine

HERE = Path(__file__).parent


def export_digits() -> None:
    digits = load_digits()
    images = digits.images.astype(np.uint8)
    assert (images == digits.images).all()
    np.savez_compressed(HERE / "optdigits.npz", images=images, labels=digits.target.astype(np.int64))


def export_wine() -> None:
    wine = load_wine()
    names = [name.replace("/", "_") for name in wine.feature_names]
    rows = [",".join([*names, "cultivar"])]
    for values, cultivar in zip(wine.data, wine.target, strict=True):
        rows.append(",".join([*(f"{value:.10g}" for value in values), str(cultivar)]))
    (HERE / "wine.csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    export_digits()
    export_wine()
