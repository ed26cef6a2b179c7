"""At least sixty ways to NaN, each marked with the op and the line to blame."""

from tests.nonfinite import backward, forward  # noqa: F401
from tests.nonfinite.case import CASES, Case

__all__ = ["CASES", "Case"]
