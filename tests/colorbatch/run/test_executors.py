"""Order, bounds, failures that stay with their own item; on threads and in processes alike."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import psutil
import pytest

from colorbatch.errors import ColorbatchError, SourceError
from colorbatch.run.executors import run
from colorbatch.run.pipeline import Limits
from colorbatch.run.workers import Turns

LIMITS = Limits(workers=3, in_flight=8, batch_size=4)
both = pytest.mark.parametrize("executor", ["threads", "processes"])
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def view(value, pages=1):
    return np.full((pages, 2, 2), value, np.float32)


def double(batch):
    """A prediction that tells whose it is: ab is twice the lightness."""
    return np.repeat(2 * batch[..., None], 2, axis=-1)


def pass_on(group):
    return [made for _, made in group]


def ask(item, settings, model):
    """Work that is nothing but the model's answer."""
    return float(model(view(item))[0, 0, 0, 0])


def results(found):
    return [one.result for one in found]


def check_nothing_is_left():
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("colorbatch")]
    assert not psutil.Process().children()


# --- order and batches -------------------------------------------------------------------------


@both
def test_the_model_is_asked_several_times_at_once(executor):
    """As often as is allowed, for one picture each: none of them comes alone."""
    together = threading.Barrier(3)

    def predict(batch):
        together.wait(20)
        return double(batch)

    limits = Limits(workers=3, in_flight=8, batch_size=1, models=3)
    found = list(run(range(9), ask, None, predict, pass_on, limits, executor=executor))
    assert results(found) == [2 * item for item in range(9)]
    check_nothing_is_left()


def uneven(item, settings, model):
    time.sleep((item * 7 % 5) / 2000)
    answer = model(view(item))
    time.sleep((item * 3 % 4) / 2000)
    return float(answer[0, 0, 0, 0])


@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize(("in_flight", "batch_size"), [(1, 1), (1, 8), (3, 2), (20, 8)])
def test_items_come_out_in_order_with_their_own_chroma(workers, in_flight, batch_size):
    """Whatever the limits, and though work takes uneven time."""
    limits = Limits(workers, in_flight, batch_size)
    found = list(run(range(40), uneven, None, double, pass_on, limits))
    assert [one.item for one in found] == list(range(40))
    assert results(found) == [2.0 * item for item in range(40)]
    assert all(one.error is None and one.seconds > 0 for one in found)
    check_nothing_is_left()


def several(item, factor, model):
    """Work that asks more than once, for many pages at a time, or not at all."""
    answers = [model(view(item, pages)) for pages in range(1, 1 + item % 4)]
    assert [len(answer) for answer in answers] == list(range(1, 1 + item % 4))
    assert all((answer == 2 * item).all() for answer in answers)
    return factor * item, os.getpid(), "onnxruntime" in sys.modules


@both
def test_work_asks_as_often_as_it_likes(executor):
    """It is given its settings. In processes it is the same work, without onnxruntime; and no
    batch is larger than what asked last made it."""
    sizes = []

    def predict(batch):
        sizes.append(len(batch))
        return double(batch)

    found = list(run(range(20), several, 3, predict, pass_on, LIMITS, executor=executor))
    assert [one.result[0] for one in found] == [3 * item for item in range(20)]
    assert sum(sizes) == sum((item % 4) * (1 + item % 4) // 2 for item in range(20))
    assert max(sizes) < LIMITS.batch_size + 3
    pids = {one.result[1] for one in found}
    assert (pids == {os.getpid()}) == (executor == "threads")
    if executor == "processes":
        assert not any(one.result[2] for one in found) and len(pids) <= LIMITS.workers
    check_nothing_is_left()


def sign_and_ask(item, folder, model):
    (folder / str(item)).touch()
    return ask(item, folder, model)


@both
def test_what_waits_is_predicted_together(executor, tmp_path):
    """While the model is busy, others ask; the next batch has them all."""
    sizes = []

    def predict(batch):
        sizes.append(len(batch))
        deadline = time.monotonic() + 60
        while len(sizes) == 1 and len(list(tmp_path.iterdir())) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.5)  # they have asked by now
        return double(batch)

    limits = Limits(4, 4, 3)
    found = list(run(range(4), sign_and_ask, tmp_path, predict, pass_on, limits, executor=executor))
    assert results(found) == [0.0, 2.0, 4.0, 6.0]
    assert len(sizes) == 2 and sum(sizes) == 4


def test_threads_that_wait_for_the_model_let_others_work():
    """One worker, and the next item is begun before the model answers; never are two at work."""
    lock, at_work = threading.Lock(), []
    begun = [threading.Event() for _ in range(9)]

    def work(item, settings, model):
        with lock:
            at_work.append(item)
            assert len(at_work) == 1
        begun[item].set()
        time.sleep(0.001)
        with lock:
            at_work.remove(item)
        return ask(item, settings, model)

    def predict(batch):
        assert begun[min(8, int(batch[-1, 0, 0]) + 1)].wait(60)
        return double(batch)

    found = list(run(range(9), work, None, predict, pass_on, Limits(1, 8, 1)))
    assert results(found) == [2.0 * item for item in range(9)]


def test_turns_go_to_the_earliest():
    """Whoever waits with the lowest number is next, however long others wait."""
    turns, order, arrived = Turns(1), [], []
    turns.take(0)

    def wait(number):
        arrived.append(number)
        turns.take(number)
        order.append(number)
        turns.leave()

    threads = [threading.Thread(target=wait, args=(number,)) for number in (5, 3, 4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while len(turns._waiting) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    turns.leave()
    for thread in threads:
        thread.join()
    assert order == [3, 4, 5]


# --- bounds ------------------------------------------------------------------------------------


def test_what_is_held_at_once_is_bounded():
    """An endless source is no trouble: items are drawn as they are needed, also by a slow
    consumer."""
    drawn = []

    def endless():
        while True:
            drawn.append(len(drawn))
            yield drawn[-1]

    found = run(endless(), ask, None, double, pass_on, LIMITS)
    for count in range(1, 50):
        next(found)
        assert len(drawn) <= count + LIMITS.in_flight
    found.close()
    check_nothing_is_left()


class Scales:
    """Work that keeps the account of what is between its begin and its end."""

    def __init__(self, costs):
        self.costs, self.now, self.highest = costs, {}, 0
        self.crowds = []
        self._lock = threading.Lock()

    def work(self, item, settings, model):
        with self._lock:
            self.now[item] = self.costs[item]
            self.highest = max(self.highest, sum(self.now.values()))
            self.crowds.append(set(self.now))
        result = uneven(item, settings, model)
        with self._lock:
            del self.now[item]
        return result


@pytest.mark.parametrize("budget", [1, 60, 100, 250, 10**9])
@pytest.mark.parametrize(("workers", "in_flight", "batch_size"), [(1, 1, 1), (3, 8, 4), (7, 20, 8)])
def test_what_is_at_work_never_costs_more_than_the_budget(budget, workers, in_flight, batch_size):
    """Whatever the costs: all items in order; one beyond the budget is at work alone."""
    costs = np.random.default_rng(budget).integers(1, 120, 60).tolist()
    scales = Scales(costs)
    limits = Limits(workers, in_flight, batch_size, budget)
    found = list(run(range(60), scales.work, None, double, pass_on, limits, cost=costs.__getitem__))
    assert results(found) == [2.0 * item for item in range(60)]
    assert scales.highest <= max(budget, *costs)
    assert all(
        len(crowd) == 1 or sum(costs[item] for item in crowd) <= budget for crowd in scales.crowds
    )


def meet(item, folder, model):
    """Come to a place, and wait until three have been there."""
    (folder / str(item)).touch()
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def stay(item, folder, model):
    """Tell how many are there, oneself included."""
    mine = folder / str(item)
    mine.touch()
    time.sleep(0.05)
    count = len(list(folder.iterdir()))
    mine.unlink()
    return count


@both
def test_what_fits_the_budget_is_done_at_the_same_time_and_no_more(executor, tmp_path):
    """Three meet where three fit, who would wait for ever one by one; or else one is alone."""
    limits = Limits(3, 8, 4, 30)
    found = list(
        run(range(6), meet, tmp_path, double, pass_on, limits, executor=executor, cost=lambda _: 10)
    )
    assert [one.error for one in found] == [None] * 6
    for path in tmp_path.iterdir():
        path.unlink()
    found = list(
        run(range(6), stay, tmp_path, double, pass_on, limits, executor=executor, cost=lambda _: 40)
    )
    assert results(found) == [1] * 6


def test_what_is_made_gives_its_share_back_before_it_is_yielded():
    """Behind a slow one at the head of the row others come and go."""
    passed = threading.Event()

    def work(item, settings, model):
        if item == 0:
            assert passed.wait(60)  # until the third is at work, which needs the second's share
        elif item == 2:
            passed.set()

    found = list(run(range(3), work, None, double, pass_on, Limits(2, 3, 1, 2), cost=lambda _: 1))
    assert [one.error for one in found] == [None] * 3


# --- failures ----------------------------------------------------------------------------------


class OddError(Exception):
    """An exception that cannot be made again from its arguments."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def fail(item, settings, model):
    if item == 3:
        raise SourceError("a.png: broken", "mend it")
    if item == 4:
        raise MemoryError
    if item == 5:
        raise OddError(1, 2)
    if item == 6:
        raise OSError(5, "I/O error")
    if item == 7:
        return lambda: "what cannot be sent"
    return ask(item, settings, model)


@both
def test_work_that_fails_ends_its_own_item_only(executor):
    """The exception comes through with class, text and advice; that of another class that cannot
    be sent keeps its words."""
    found = list(run(range(20), fail, None, double, pass_on, LIMITS, executor=executor))
    assert [one.item for one in found] == list(range(20))
    assert [one.result for one in found[8:]] == [2.0 * item for item in range(8, 20)]
    errors = [one.error for one in found[3:7]]
    assert [type(error) for error in errors[:2]] == [SourceError, MemoryError]
    assert str(errors[0]) == "a.png: broken; mend it" and errors[0].advice == "mend it"
    assert "1 and 2" in str(errors[2]) and "OddError" in repr(errors[2])
    assert errors[3].errno == 5
    if executor == "processes":
        assert "in fail" in errors[3].__notes__[0]  # where it was raised
        assert "pickle" in str(found[7].error)
    assert all(one.error is None for one in [*found[:3], *found[8:]])


@both
@pytest.mark.parametrize("step", ["cost", "predict", "commit"])
def test_a_failing_step_gives_its_share_back(step, executor):
    """After failures of every kind the budget is whole again, and the item's own end is told."""
    failure = ValueError("broken")

    def fail_at(name, item, result):
        if name == step and item % 3 == 0:
            raise failure
        return result

    limits = Limits(2, 4, 1, 10)
    found = list(
        run(
            range(20),
            ask,
            None,
            lambda batch: fail_at("predict", batch[0, 0, 0], double(batch)),
            lambda group: [
                failure if step == "commit" and item % 3 == 0 else made for item, made in group
            ],
            limits,
            executor=executor,
            cost=lambda item: fail_at("cost", item, 7),
        )
    )
    assert [one.item for one in found] == list(range(20))
    assert [one.item for one in found if str(one.error) == "broken"] == list(range(0, 20, 3))
    assert all(one.result == 2.0 * one.item for one in found if one.error is None)


def odd_view(item, settings, model):
    return float(model(np.zeros((1, 3, 3)) if item == 3 else view(item))[0, 0, 0, 0])


def test_lightness_of_another_size_ends_its_batch_only():
    """Work that breaks its word does not break the run."""
    found = list(run(range(9), odd_view, None, double, pass_on, LIMITS))
    assert len(found) == 9 and any(one.error is None for one in found)


@both
def test_a_commit_that_fails_ends_its_group_only(executor):
    """Whatever is raised there."""
    groups = []

    def commit(group):
        groups.append([item for item, _ in group])
        if 5 in groups[-1]:
            raise OSError("the disk said no")
        return pass_on(group)

    found = list(run(range(12), ask, None, double, commit, LIMITS, executor=executor))
    [bad] = [group for group in groups if 5 in group]
    assert [one.item for one in found if one.error is not None] == sorted(bad)
    assert sorted(item for group in groups for item in group) == list(range(12))


def test_what_is_made_meanwhile_is_committed_together():
    """While a group is brought to the disk the next one gathers."""
    groups, made = [], threading.Semaphore(0)

    def work(item, settings, model):
        made.release()
        return item

    def commit(group):
        groups.append(len(group))
        if len(groups) == 1:
            for _ in range(6):
                assert made.acquire(timeout=60)
            time.sleep(0.2)
        return pass_on(group)

    found = list(run(range(6), work, None, double, commit, Limits(2, 6, 1)))
    assert results(found) == list(range(6))
    assert len(groups) < 6 and max(groups) > 1


# --- ends --------------------------------------------------------------------------------------


@both
def test_stop_finishes_what_was_begun_and_drops_the_rest(executor):
    """After stop nothing new begins, and what is committed is yielded."""
    stopped, committed, yielded = threading.Event(), [], []

    def commit(group):
        committed.extend(item for item, _ in group)
        return pass_on(group)

    for one in run(
        range(1000), ask, None, double, commit, LIMITS, executor=executor, stop=stopped.is_set
    ):
        yielded.append(one.item)
        assert one.error is None
        if one.item == 10:
            stopped.set()
    assert yielded == sorted(committed) and yielded[:11] == list(range(11))
    assert len(yielded) <= 11 + LIMITS.in_flight
    check_nothing_is_left()


@both
def test_stop_before_the_first_item(executor):
    """Nothing is begun at all; and nothing comes of no items."""
    begun = run([1, 2], ask, None, double, pass_on, LIMITS, executor=executor, stop=lambda: True)
    assert list(begun) == []
    assert list(run([], ask, None, double, pass_on, LIMITS, executor=executor)) == []
    check_nothing_is_left()


def test_stop_drops_what_waits_for_the_model_but_not_what_asks_again():
    """An item that the model has answered is in the midst of its writing, and is finished."""
    stopped, answered = threading.Event(), threading.Event()

    def work(item, settings, model):
        if item == 0:
            model(view(item))
            answered.set()
            assert stopped.wait(60)
            time.sleep(0.5)  # the run sees it
        else:
            assert answered.wait(60) and stopped.wait(60)
            time.sleep(0.5)
        return float(model(view(item))[0, 0, 0, 0])

    threading.Thread(target=lambda: (answered.wait(60), stopped.set())).start()
    found = list(run(range(3), work, None, double, pass_on, Limits(3, 3, 1), stop=stopped.is_set))
    assert [(one.item, one.result) for one in found] == [(0, 0.0)]


def slow(item, settings, model):
    time.sleep(600 if item else 0)


def test_leaving_early_ends_processes_at_once():
    """A consumer that goes away leaves none behind, whatever they do."""
    started = time.monotonic()
    found = run(range(100), slow, None, double, pass_on, LIMITS, executor="processes")
    next(found)
    found.close()
    check_nothing_is_left()
    assert time.monotonic() - started < 300  # far less than the work


def test_leaving_early_ends_the_threads():
    """Those that wait for the model are sent away."""
    found = run(range(100), ask, None, double, pass_on, LIMITS)
    next(found)
    found.close()
    check_nothing_is_left()


# --- processes ---------------------------------------------------------------------------------


def die(item, settings, model):
    if item % 7 == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 8:
        os._exit(5)
    return ask(item, settings, model)


@posix_only
def test_a_process_that_dies_is_one_failed_item():
    """It says how it ended; all others are done, by a new process."""
    found = list(run(range(20), die, None, double, pass_on, LIMITS, executor="processes"))
    assert [one.item for one in found if one.error is not None] == [3, 8, 10, 17]
    assert all(one.result == 2.0 * one.item for one in found if one.error is None)
    killed = "the process that worked on it was killed (SIGKILL, perhaps for want of memory)"
    assert str(found[3].error) == killed and isinstance(found[3].error, ColorbatchError)
    assert str(found[8].error) == "the process that worked on it ended with code 5"
    check_nothing_is_left()


def tell(item, settings, model):
    logging.getLogger("colorbatch.somewhere").warning("item %d", item)
    logging.getLogger("colorbatch.somewhere").debug("not asked for")
    os.write(1, b"no word of ours")
    return ask(item, settings, model), sys.path, os.environ.get("ORT_DISABLE_TELEMETRY")


def warn(item, settings, model):
    warnings.warn(f"item {item}", FutureWarning, stacklevel=1)


def test_what_is_logged_and_warned_of_in_a_process_is_heard(caplog, capfd):
    """By the loggers of this process, as if it had been said here; what is printed goes to standard
    error; and nothing there sends telemetry."""
    found = list(run(range(3), tell, None, double, pass_on, LIMITS, executor="processes"))
    assert [one.result for one in found] == [(2.0 * item, sys.path, "1") for item in range(3)]
    assert sorted(record.getMessage() for record in caplog.records) == [
        "item 0",
        "item 1",
        "item 2",
    ]
    assert {record.name for record in caplog.records} == {"colorbatch.somewhere"}
    out, err = capfd.readouterr()
    assert out == "" and err.count("no word of ours") == 3
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(run(range(2), warn, None, double, pass_on, LIMITS, executor="processes"))
    assert sorted(str(one.message) for one in caught) == ["item 0", "item 1"]
    assert {one.category for one in caught} == {FutureWarning}


def test_no_process_at_all_is_one_line(monkeypatch, tmp_path):
    """One that cannot be started, or ends before it is ready, ends the run; nothing hangs."""
    for python in ("", str(tmp_path / "missing"), sys.executable):
        monkeypatch.setattr(sys, "executable", python)
        if python:
            monkeypatch.setattr("colorbatch.run.workers.BEGIN", "raise SystemExit(7)")
        with pytest.raises(ColorbatchError, match="cannot start a process to work in: "):
            list(run(range(20), ask, None, double, pass_on, LIMITS, executor="processes"))
    check_nothing_is_left()


PARENT = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.colorbatch.run.test_executors import LIMITS, double, pass_on, sleep_there
from colorbatch.run.executors import run
list(run(range(9), sleep_there, Path({folder!r}), double, pass_on, LIMITS, executor="processes"))
"""


def sleep_there(item, folder, model):
    (folder / str(os.getpid())).touch()
    time.sleep(600)


@posix_only
@pytest.mark.slow
def test_processes_end_with_the_one_that_started_them(tmp_path):
    """Killed with -9 it can tell them nothing; they see it by themselves, in the midst of work."""
    root = str(Path(__file__).parents[3])
    code = PARENT.format(root=root, folder=str(tmp_path))
    parent = psutil.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 120
    while len(list(tmp_path.iterdir())) < LIMITS.workers:
        assert time.monotonic() < deadline and parent.poll() is None
        time.sleep(0.02)
    workers = [psutil.Process(int(path.name)) for path in tmp_path.iterdir()]
    parent.kill()
    parent.wait()
    gone, alive = psutil.wait_procs(workers, timeout=60)
    assert len(gone) == LIMITS.workers and not alive
