"""Models from public reports that the tool had not seen when it was first run on them; the code is our own.

Each set is a folder with `cases/` and `labels.yaml`: verdict, culprit, cause and cures, proven by plain PyTorch before
the tool was run. `figures.json` keeps what the first run came to, before anything was mended: "not seen before" is the
figure that counts.
"""
