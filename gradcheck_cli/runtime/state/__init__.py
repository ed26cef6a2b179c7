"""Leave the user's model, the batch and the process around them as they were found; read `preserved` first."""

from gradcheck_cli.runtime.state.generators import drawing, seed_everything
from gradcheck_cli.runtime.state.preserving import State, keeping, preserved
from gradcheck_cli.runtime.state.writes import WriteWatch, function_name, written

__all__ = ["State", "WriteWatch", "drawing", "function_name", "keeping", "preserved", "seed_everything", "written"]
