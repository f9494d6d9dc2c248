"""Order, bounds, and failures that stay with their own item."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from colorbatch.run.pipeline import Limits, Loaded, run


def lightness(value):
    return np.full((2, 2), value, np.float32)


def double(batch):
    """A prediction that tells whose it is: ab is twice the lightness."""
    return np.repeat(2 * batch[..., None], 2, axis=-1)


def load(item):
    return Loaded(item, lightness(item))


def keep(item, held, ab):
    assert held == item
    return None if ab is None else float(ab[0, 0, 0])


LIMITS = Limits(workers=3, in_flight=8, batch_size=4)


@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize(("in_flight", "batch_size"), [(1, 1), (1, 8), (3, 2), (20, 8)])
def test_items_come_out_in_order_with_their_own_chroma(workers, in_flight, batch_size):
    """Whatever the limits, and though reading and finishing take uneven time."""

    def slow_read(item):
        time.sleep((item * 7 % 5) / 2000)
        return load(item)

    def slow_finish(item, held, ab):
        time.sleep((item * 3 % 4) / 2000)
        return keep(item, held, ab)

    done = list(
        run(range(40), slow_read, double, slow_finish, Limits(workers, in_flight, batch_size))
    )
    assert [one.item for one in done] == list(range(40))
    assert [one.result for one in done] == [2.0 * item for item in range(40)]
    assert all(one.error is None for one in done)


def test_no_items_no_outcomes():
    """An empty batch ends at once, without a prediction."""
    assert list(run([], load, double, keep, LIMITS)) == []


def test_an_item_can_say_what_predicts_it():
    """Those of a batch are predicted by one, in order, though some cannot be read."""
    batches = []

    def triple(batch):
        batches.append(len(batch))
        return np.repeat(3 * batch[..., None], 2, axis=-1)

    def read(item):
        if item % 7 == 5:
            raise ValueError(item)
        return Loaded(item, lightness(item), triple if item % 10 > 3 else None)

    done = list(run(range(40), read, double, keep, LIMITS))
    readable = [one for one in done if one.item % 7 != 5]
    assert [one.item for one in done] == list(range(40))
    assert [one.result for one in readable] == [
        (3.0 if one.item % 10 > 3 else 2.0) * one.item for one in readable
    ]
    assert sum(batches) == sum(one.item % 10 > 3 for one in readable)


def test_what_is_held_at_once_is_bounded():
    """No more than `in_flight` items are read and not yet yielded, and batches keep their size."""
    lock = threading.Lock()
    held = highest = 0
    sizes = []

    def count_read(item):
        nonlocal held, highest
        with lock:
            held += 1
            highest = max(highest, held)
        return load(item)

    def measure(batch):
        sizes.append(len(batch))
        return double(batch)

    for _ in run(range(200), count_read, measure, keep, LIMITS):
        with lock:
            held -= 1
        if held % 3 == 0:
            time.sleep(0.001)  # a slow consumer
    # one more than yielded ones, as the yielded item is counted until the loop's body runs
    assert highest <= LIMITS.in_flight + 1
    assert max(sizes) <= LIMITS.batch_size
    assert sum(sizes) == 200


def test_items_are_taken_only_as_there_is_room():
    """An endless source is no trouble: items are drawn as they are needed."""
    drawn = []

    def endless():
        while True:
            drawn.append(len(drawn))
            yield drawn[-1]

    results = run(endless(), load, double, keep, LIMITS)
    for _ in range(10):
        next(results)
    results.close()
    assert len(drawn) <= 10 + LIMITS.in_flight


@pytest.mark.parametrize("error", [ValueError("broken"), MemoryError(), OSError(5, "I/O error")])
@pytest.mark.parametrize("step", ["read", "finish"])
def test_a_failing_step_ends_its_own_item_only(step, error):
    """The failed item carries the exception; its neighbours in the same batch are as ever."""

    def fail_at(name, function):
        def wrapped(item, *rest):
            if name == step and item in (5, 6, 19):
                raise error
            return function(item, *rest)

        return wrapped

    done = list(run(range(20), fail_at("read", load), double, fail_at("finish", keep), LIMITS))
    assert [one.item for one in done if one.error is error] == [5, 6, 19]
    others = [one for one in done if one.error is None]
    assert [one.result for one in others] == [2.0 * one.item for one in others]
    assert len(done) == 20


def test_a_failing_prediction_ends_its_batch_only():
    """Items of the batch fail with the prediction's exception; later batches go on."""
    failure = RuntimeError("the device said no")
    batches = []

    def predict(batch):
        items = batch[:, 0, 0].astype(int).tolist()
        batches.append(items)
        if 7 in items:
            raise failure
        return double(batch)

    done = list(run(range(20), load, predict, keep, LIMITS))
    bad = next(items for items in batches if 7 in items)
    assert [one.item for one in done if one.error is failure] == bad
    assert [one.item for one in done] == list(range(20))
    assert all(one.result == 2.0 * one.item for one in done if one.error is None)


def test_lightness_of_another_size_ends_its_batch_only():
    """A read step that breaks its word does not break the run."""

    def odd_read(item):
        return Loaded(item, np.zeros((3, 3), np.float32)) if item == 3 else load(item)

    done = list(run(range(9), odd_read, double, keep, Limits(1, 1, 1)))
    assert len(done) == 9  # alone in its batch it is even predicted


def test_items_without_lightness_pass_the_network_by():
    """They are finished in order, without chroma, and never predicted."""
    seen = []

    def read(item):
        return Loaded(item, None if item % 3 else lightness(item))

    def predict(batch):
        seen.extend(batch[:, 0, 0].tolist())
        return double(batch)

    done = list(run(range(20), read, predict, keep, LIMITS))
    assert [one.result for one in done] == [None if i % 3 else 2.0 * i for i in range(20)]
    assert seen == [i for i in range(20) if i % 3 == 0]


def test_stop_finishes_what_was_begun_and_drops_the_rest():
    """After stop nothing new is read, and every item that was finished is yielded."""
    stopped = threading.Event()
    read, finished = [], []

    def note_read(item):
        read.append(item)
        return load(item)

    def note_finish(item, held, ab):
        finished.append(item)
        return keep(item, held, ab)

    yielded = []
    for one in run(range(1000), note_read, double, note_finish, LIMITS, stop=stopped.is_set):
        yielded.append(one.item)
        if one.item == 10:
            stopped.set()
    assert sorted(finished) == yielded == list(range(len(yielded)))
    assert 11 <= len(yielded) <= 11 + LIMITS.in_flight
    assert len(read) <= 11 + LIMITS.in_flight


class Scales:
    """Steps that keep the account of what is between the start of its reading and the end of its
    finishing."""

    def __init__(self, costs):
        self.costs, self.now, self.highest = costs, {}, 0
        self.crowds = []
        self._lock = threading.Lock()

    def read(self, item):
        with self._lock:
            self.now[item] = self.costs[item]
            self.highest = max(self.highest, sum(self.now.values()))
            self.crowds.append(set(self.now))
        time.sleep((item * 7 % 5) / 2000)
        return load(item)

    def finish(self, item, held, ab):
        time.sleep((item * 3 % 4) / 2000)
        with self._lock:
            del self.now[item]
        return keep(item, held, ab)


@pytest.mark.parametrize("budget", [1, 60, 100, 250, 10**9])
@pytest.mark.parametrize(("workers", "in_flight", "batch_size"), [(1, 1, 1), (3, 8, 4), (7, 20, 8)])
def test_what_is_at_work_never_costs_more_than_the_budget(budget, workers, in_flight, batch_size):
    """Whatever the costs: all items in order; one beyond the budget is at work alone."""
    costs = np.random.default_rng(budget).integers(0, 120, 60).tolist()
    scales = Scales(costs)
    limits = Limits(workers, in_flight, batch_size, budget)
    done = list(run(range(60), scales.read, double, scales.finish, limits, cost=costs.__getitem__))
    assert [one.item for one in done] == list(range(60))
    assert [one.result for one in done] == [2.0 * item for item in range(60)]
    assert scales.highest <= max(budget, *costs)
    for crowd in scales.crowds:
        paying = [item for item in crowd if costs[item]]
        assert len(paying) == 1 or sum(costs[item] for item in crowd) <= budget or not paying


def test_what_fits_the_budget_is_done_at_the_same_time():
    """Three readings meet where three fit; they would wait for each other for ever, one by one."""
    meeting = threading.Barrier(3, timeout=60)

    def read(item):
        meeting.wait()
        return load(item)

    done = list(run(range(9), read, double, keep, Limits(3, 8, 4, 30), cost=lambda item: 10))
    assert [one.error for one in done] == [None] * 9


def test_finished_items_give_their_share_back_before_they_are_yielded():
    """Behind a slow one at the head of the row others come and go."""
    passed = threading.Event()

    def finish(item, held, ab):
        if item == 0:
            assert passed.wait(60)  # until the third is finished, which needs the second's share
        elif item == 2:
            passed.set()
        return keep(item, held, ab)

    done = list(run(range(3), load, double, finish, Limits(2, 3, 1, 2), cost=lambda item: 1))
    assert [one.error for one in done] == [None] * 3


@pytest.mark.parametrize("step", ["cost", "read", "predict", "finish"])
def test_a_failing_step_gives_its_share_back(step):
    """After failures of every kind the budget is whole again, and the item's own end is told."""
    failure = ValueError("broken")

    def fail_at(name, function):
        def wrapped(item, *rest):
            if name == step and np.ravel(item)[0] % 3 == 0:
                raise failure
            return function(item, *rest)

        return wrapped

    limits = Limits(2, 4, 1, 10)
    done = list(
        run(
            range(20),
            fail_at("read", load),
            fail_at("predict", double),
            fail_at("finish", keep),
            limits,
            cost=fail_at("cost", lambda item: 7),
        )
    )
    assert [one.item for one in done] == list(range(20))
    assert [one.item for one in done if one.error is failure] == list(range(0, 20, 3))


def test_stop_while_items_wait_for_room():
    """They are dropped like any other that has not begun."""
    stopped = threading.Event()
    scales = Scales([10] * 100)
    yielded = []
    limits = Limits(2, 8, 4, 10)
    for one in run(
        range(100), scales.read, double, scales.finish, limits, stopped.is_set, lambda item: 10
    ):
        yielded.append(one.item)
        if one.item == 5:
            stopped.set()
    assert yielded == list(range(len(yielded))) and 6 <= len(yielded) <= 7
    assert not scales.now


def test_stop_before_the_first_item():
    """Nothing is read at all."""
    assert list(run([1, 2], load, double, keep, LIMITS, stop=lambda: True)) == []


def test_leaving_early_ends_the_threads():
    """A consumer that goes away leaves no worker behind."""
    results = run(range(100), load, double, keep, LIMITS)
    next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("colorbatch")]


class Sums:
    """As it says: chroma of an item and of the `ahead` behind it, up to one that passes by."""

    def __init__(self, ahead):
        self.ahead, self.waiting, self.seen = ahead, [], []

    def add(self, item, lightness, ab):
        assert (lightness == item).all()
        self.seen.append(item)
        self.waiting.append(ab)
        return [self._next()] if len(self.waiting) > self.ahead else []

    def past(self, item):
        return self.end()

    def end(self):
        return [self._next() for _ in range(len(self.waiting))]

    def _next(self):
        made = np.sum(self.waiting, axis=0)
        self.waiting.pop(0)
        return made


@pytest.mark.parametrize("ahead", [0, 1, 5, 100])
@pytest.mark.parametrize(("in_flight", "memory"), [(1, None), (3, 2), (20, None)])
def test_a_step_between_sees_items_in_order_and_ahead(ahead, in_flight, memory):
    """However many it waits for, and however little may be held: each item gets what it said."""
    step = Sums(ahead)
    limits = Limits(3, in_flight, 4, memory)
    done = list(run(range(30), load, double, keep, limits, cost=lambda item: 1, ordered=step))
    assert step.seen == list(range(30))
    assert [one.item for one in done] == list(range(30))
    assert [one.result for one in done] == [
        2.0 * sum(range(item, min(30, item + ahead + 1))) for item in range(30)
    ]


def test_items_that_no_step_sees_keep_their_place():
    """Failed ones, and those without lightness: these are not waited beyond."""

    def read(item):
        if item % 5 == 2:
            raise ValueError(item)
        return load(item) if item % 3 else Loaded(item, None)

    step = Sums(4)
    done = list(run(range(20), read, double, keep, LIMITS, ordered=step))
    assert [one.item for one in done] == list(range(20))
    assert [one.item for one in done if one.error] == [2, 7, 12, 17]
    seen = [item for item in range(20) if item % 5 != 2 and item % 3]
    assert step.seen == seen
    for one in done:
        if one.item in seen:
            passing = (item for item in range(one.item, 20) if not item % 3 and item % 5 != 2)
            until = next(passing, 20)
            near = [item for item in seen if one.item <= item < until]
            assert one.result == 2.0 * sum(near[:5])


def test_a_stop_drops_what_waits_for_others():
    """It ends, though the step between still holds items."""
    step, asked = Sums(8), iter(range(1000))
    done = list(run(range(500), load, double, keep, LIMITS, lambda: next(asked) > 20, ordered=step))
    assert [one.item for one in done] == list(range(len(done))) and len(done) < 500


@pytest.mark.parametrize("kept", [0, 1, None])
def test_what_waits_takes_what_it_keeps_and_is_finished_as_there_is_room(kept):
    """Six become ready at once, of which the budget lets two be finished at the same time, beside
    what the others keep."""
    lock, at_work, crowds = threading.Lock(), set(), []

    def finish(item, held, ab):
        with lock:
            at_work.add(item)
            crowds.append(len(at_work))
        time.sleep(0.002)
        with lock:
            at_work.remove(item)
        return keep(item, held, ab)

    def read(item):
        loaded = load(item)
        return Loaded(loaded.held, loaded.lightness, kept=kept)

    limits = Limits(6, 20, 4, 25)
    done = list(run(range(6), read, double, finish, limits, cost=lambda item: 10, ordered=Sums(9)))
    assert [one.result for one in done] == [2.0 * sum(range(item, 6)) for item in range(6)]
    assert max(crowds) <= 2
