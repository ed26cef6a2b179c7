import weakref

import torch
from torch import Tensor

from gradcheck_cli.watch.entries import Data, Slot, TapeEntry
from gradcheck_cli.watch.livetensors import LiveTensors, kept_before


def entry_of(live: LiveTensors, number: int, *given: Tensor) -> TapeEntry:
    entry = TapeEntry()
    entry.number, entry.window, entry.sequence = number, live.window, 0
    entry.args = [live.taker.take(tensor, entry) for tensor in given]
    return entry


def test_what_a_call_made_is_known_for_as_long_as_it_is_alive() -> None:
    live, weight = LiveTensors(), torch.ones(2, requires_grad=True)
    out = weight * 2
    entry = entry_of(live, 1, torch.ones(2))
    live.made(entry, [(0, out)])
    slot, gone = live.of(out), weakref.ref(out)
    assert slot is not None and slot.entry is entry and live.newest() == [slot]
    second = entry_of(live, 2, out)
    assert second.needs == [slot] and isinstance(entry.args[0], Data)
    del out
    assert gone() is None and live.newest() == []


def test_the_newest_comes_first() -> None:
    live, weight = LiveTensors(), torch.ones(1, requires_grad=True)
    outs = [weight * factor for factor in range(3)]
    for number, out in enumerate(outs):
        live.made(entry_of(live, number), [(0, out)])
    assert [slot() for slot in live.newest()] == outs[::-1]


def test_a_result_that_leads_nowhere_is_not_kept() -> None:
    live, data = LiveTensors(), torch.ones(2)
    made = data + 1
    live.keep(entry_of(live, 1, data), [(0, made)])
    assert live.of(made) is None
    live.keep(entry_of(live, 2, data), [(0, made)], risky=True)
    assert isinstance(live.of(made), Slot), "it may be where a value that is not finite comes from"


def test_data_that_is_written_into_stays_as_it_was() -> None:
    live, weight, data = LiveTensors(), torch.ones(2, requires_grad=True), torch.ones(2)
    out = weight * data
    entry = entry_of(live, 1, weight, data)
    live.keep(entry, [(0, out)])
    live.before_write(data)
    data.zero_()
    assert entry.args[1].tensor.tolist() == [1.0, 1.0]


def test_what_a_call_itself_writes_into_is_kept_before() -> None:
    live, data = LiveTensors(), torch.ones(2)
    entry = entry_of(live, 1, data)
    found = kept_before(entry, data)
    data.zero_()
    assert found.keys() == {id(data)} and found[id(data)].tensor.tolist() == [1.0, 1.0]


def test_copies_stand_for_what_is_written_without_a_trace() -> None:
    live, data = LiveTensors(), torch.ones(2)
    live.copying = True
    entry = entry_of(live, 1, data)
    data.data.zero_()
    assert entry.args[0].tensor.tolist() == [1.0, 1.0]
