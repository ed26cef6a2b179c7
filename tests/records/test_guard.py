"""How an op may be spelled in a call."""

from __future__ import annotations

from gradcheck_cli.records.guard import spellings


def test_an_op_is_spelled_by_its_name_and_by_its_operators() -> None:
    assert spellings("log") == {"log"}
    assert spellings("special_entr") == {"entr"}
    assert {"div", "truediv"} <= spellings("div") and "rdiv" not in spellings("div")
    assert "rdiv" in spellings("reciprocal")
