from gradcheck_cli.watch.backward import Backward
from gradcheck_cli.watch.diagnosing import Seen
from gradcheck_cli.watch.updategroup import UpdateGroup
from gradcheck_cli.watch.vitals import Norms


def seen_of(loss: float | None) -> Seen:
    return Seen(Backward("backward", None, None), loss, Norms((), (2.0,), (1,)), 1.0)


def test_the_loss_is_the_mean_of_those_that_are_known() -> None:
    assert UpdateGroup([seen_of(1.0), seen_of(None), seen_of(2.0)]).loss() == 1.5
    assert UpdateGroup([seen_of(None)]).loss() is None
    assert UpdateGroup().loss() is None


def test_a_closed_one_keeps_the_numbers_and_nothing_to_repeat() -> None:
    group = UpdateGroup([seen_of(1.0)])
    group.close()
    assert group.closed and group.loss() == 1.0 and group.seen[0].norms.whole() == 2.0
    assert group.seen[0].backward.why


def test_of_earlier_passes_only_some_are_kept_whole() -> None:
    one, other = seen_of(1.0), seen_of(2.0)
    group = UpdateGroup([one, other])
    group.keep([other.backward])
    assert group.seen[1] is other and group.seen[0].backward is not one.backward and group.seen[0].backward.why
