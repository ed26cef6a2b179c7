"""gradcheck: which layers get no usable gradient, why, and what measurably fixes it."""

__version__ = "0.1.0"
