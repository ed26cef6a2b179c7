"""How much may be tried: trials are begun as long as they are likely to end in time."""

from __future__ import annotations

import time


class Budget:
    """Seconds for all trials of one check, told in passes by the time that the measured pass took."""

    def __init__(self, seconds: float, pass_seconds: float) -> None:
        self.seconds, self._pass_seconds = seconds, pass_seconds
        self._deadline = time.monotonic() + seconds

    def has(self, passes: int) -> bool:
        """Whether that many forward and backward passes are likely to end in time."""
        return time.monotonic() + passes * self._pass_seconds < self._deadline
