"""The closed vocabularies of a check; they also feed the command line's choices."""

from __future__ import annotations

from enum import Enum


class FailOn(str, Enum):
    """The lowest severity that makes the exit code 1."""

    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


class Mode(str, Enum):
    """The mode a model is probed in; KEEP leaves every module as the user's code set it."""

    KEEP = "keep"
    TRAIN = "train"
    EVAL = "eval"


class Severity(str, Enum):
    """How bad a finding is; `note` never fails a check."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class About(str, Enum):
    """What a suspicion is about: the whole model does not learn, or a part of it does not."""

    WHOLE = "whole"
    PART = "part"


class Decision(str, Enum):
    """What training made of a suspicion."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    NOT_TRIED = "not-tried"


class Family(str, Enum):
    """The first digit of a rule's code, in words."""

    NONFINITE = "nonfinite"
    VANISHING = "vanishing"
    EXPLODING = "exploding"
    NO_GRADIENT = "no-gradient"
    PRECISION = "precision"
    DYNAMICS = "dynamics"


class Status(str, Enum):
    """What a check came to."""

    HEALTHY = "healthy"
    ILL = "ill"
    UNKNOWN = "unknown"
    FAILED = "failed"


class Optimizer(str, Enum):
    """The optimisers whose first step can be told from one gradient."""

    SGD = "sgd"
    ADAM = "adam"
    ADAMW = "adamw"
