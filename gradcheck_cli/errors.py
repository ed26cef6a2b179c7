"""Every way a check can end without a verdict, each with the exit code it leads to."""

from __future__ import annotations


class GradcheckError(Exception):
    """Something kept the check from being made; the command line prints it once, without a traceback.

    Args:
        message: What is wrong and where, in one sentence.
        hint: What the user can do about it, in one sentence.
        frames: The user's own traceback lines, outermost first, where their code raised.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "", frames: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.frames = frames


class UsageError(GradcheckError):
    """The command line or a spec on it cannot be understood."""


class ConfigError(GradcheckError):
    """A gradcheck.yaml cannot be read or understood; the message starts with file:line:column where there is one."""


class TargetError(GradcheckError):
    """The model, the batch or the loss cannot be found, loaded or built."""


class UserCodeError(GradcheckError):
    """The user's own code raised while it was imported, built or run."""


class ProbeError(GradcheckError):
    """The pass ran but there is nothing to measure: no loss, no graph, no parameters."""


class StateError(GradcheckError):
    """The check changed something of the model or the batch and could not put it back; the message names it."""


class ReportError(GradcheckError):
    """A saved report cannot be read, or a report cannot be written."""


class Interrupted(GradcheckError):
    """The user pressed Ctrl-C, or another signal ended the command; its number gives the exit code."""

    def __init__(self, message: str, *, hint: str = "", frames: tuple[str, ...] = (), number: int = 2) -> None:
        super().__init__(message, hint=hint, frames=frames)
        self.exit_code = 128 + number


class InternalError(GradcheckError):
    """A fault of gradcheck itself."""


def internal_error(raised: BaseException) -> InternalError:
    """The error to tell where nobody expected what was raised."""
    kind = type(raised).__name__
    told = f"{kind}: {raised}" if str(raised) else kind
    return InternalError(
        f"internal error: {told}",
        hint="this is a fault of gradcheck: please report this; rerun with --debug for the traceback",
    )
