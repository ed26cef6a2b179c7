"""Real architectures of widely used libraries, small and random, each of which trains."""

from .catalogue import ARCHITECTURES, MISSING, SLICE
from .registry import Architecture

__all__ = ["ARCHITECTURES", "MISSING", "SLICE", "Architecture"]
