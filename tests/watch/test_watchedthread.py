import threading
import time
from concurrent.futures import ThreadPoolExecutor

from gradcheck_cli.watch.watchedthread import WatchedThread, running_beside


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


def test_a_thread_in_code_of_the_users_is_told_and_one_that_waits_for_another_is_not() -> None:
    assert running_beside() == ""
    told: list[str] = []
    over = threading.Event()
    feeder = threading.Thread(target=lambda: over.wait(10), name="feeder")
    feeder.start()
    assert running_beside() == (
        "thread `feeder` runs code of the script's beside it, and what that draws would be drawn twice"
    )
    over.set()
    feeder.join()

    def asked() -> None:
        time.sleep(0.2)  # until the other one waits
        told.append(running_beside())

    trainer = threading.Thread(target=asked)
    trainer.start()
    trainer.join()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asked).result()
    assert told == ["", ""]
