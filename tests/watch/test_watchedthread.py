import threading

from gradcheck_cli.watch.watchedthread import WatchedThread


def elsewhere(ask: object) -> bool:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(ask()))  # type: ignore[operator]
    thread.start()
    thread.join()
    return found[0]


def test_the_first_that_calls_is_watched_until_another_makes_a_backward_pass() -> None:
    changes: list[int] = []
    threads = WatchedThread(lambda: changes.append(1))
    assert threads.may_be_ours() and not threads.is_here()
    assert threads.is_ours() and threads.is_here() and changes == [1]
    assert not elsewhere(threads.is_ours) and not elsewhere(threads.may_be_ours)
    assert threads.is_ours(trains=True)
    assert not elsewhere(lambda: threads.is_ours(trains=True)), "it trains itself"
    assert threads.is_ours() and changes == [1]


def test_once_it_has_ended_the_next_one_is() -> None:
    threads = WatchedThread(lambda: None)
    assert elsewhere(lambda: threads.is_ours(trains=True))
    assert threads.is_ours()


def test_none_is_while_it_is_blind() -> None:
    threads = WatchedThread(lambda: None)
    threads.blind = True
    assert not threads.is_ours() and not threads.may_be_ours()
    threads.blind = False
    assert threads.is_ours()
