"""Real architectures of widely used libraries, small and random, each of which trains."""

from .catalogue import ARCHITECTURES, LIBRARIES, MISSING, SLICE
from .registry import Architecture

__all__ = ["ARCHITECTURES", "LIBRARIES", "MISSING", "SLICE", "Architecture"]
