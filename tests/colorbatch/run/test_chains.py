"""Chains of jobs: in order within each, side by side, and ended by the first failure."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from colorbatch.run import chains

CHAINS = [[(number, place) for place in range(number % 4 + 1)] for number in range(20)]
Job = tuple[int, int]


class Kept:
    """What a lane keeps; all that there were."""

    all: list[Kept]

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.closed = False


@contextlib.contextmanager
def kept(of: list[Kept]) -> Iterator[Kept]:
    own = Kept()
    of.append(own)
    yield own
    own.closed = True


@pytest.mark.parametrize("lanes", [1, 2, 3, 7, 50])
def test_every_job_is_done_in_the_order_of_its_chain(lanes: int) -> None:
    """Whatever the number of lanes; a lane goes from a chain to the next one."""
    own: list[Kept] = []
    done: list[Job] = []

    def work(job: Job, lane: Kept, ends: Callable[[], bool]) -> int:
        lane.jobs.append(job)
        time.sleep(job[0] % 3 / 1000)
        done.append(job)
        return 10 * job[0] + job[1]

    found = list(chains.run(CHAINS, work, lambda: kept(own), lanes))
    assert sorted(job for job, _ in found) == sorted(job for chain in CHAINS for job in chain)
    assert all(made == 10 * job[0] + job[1] for job, made in found)
    for chain in CHAINS:
        assert [job for job in done if job in chain] == chain
    assert len(own) == min(lanes, len(CHAINS)) and all(lane.closed for lane in own)
    if lanes == 1:
        assert done == [job for chain in CHAINS for job in chain]
    for lane in own:  # no chain is divided between lanes
        assert all(len({job in lane.jobs for job in chain}) == 1 for chain in CHAINS)


def test_lanes_are_at_work_at_the_same_time() -> None:
    """Three jobs that wait for each other end."""
    together = threading.Barrier(3, timeout=20)

    def work(job: int, lane: None, ends: Callable[[], bool]) -> int:
        together.wait()
        return job

    found = chains.run([[1], [2], [3]], work, contextlib.nullcontext, 3)
    assert sorted(made for _, made in found) == [1, 2, 3]


def test_a_lane_that_has_no_more_takes_from_another() -> None:
    """One long chain does not keep those behind it waiting."""
    release = threading.Event()

    def work(job: int, lane: None, ends: Callable[[], bool]) -> int:
        if job == 0:
            assert release.wait(20)
        return job

    found = []
    for job, _ in chains.run([[number] for number in range(8)], work, contextlib.nullcontext, 2):
        found.append(job)
        if len(found) == 7:
            assert 0 not in found
            release.set()
    assert found[-1] == 0


def test_the_first_failure_ends_all_and_is_the_one_that_is_raised() -> None:
    """Others are asked to end, and what they raise then is not told."""
    begun = threading.Event()

    def work(job: int, lane: None, ends: Callable[[], bool]) -> int:
        if job == 0:
            assert begun.wait(20)
            raise ValueError("the cause")
        begun.set()
        while not ends():
            time.sleep(0.001)
        raise RuntimeError("an echo")

    with pytest.raises(ValueError, match="the cause"):
        list(chains.run([[0, 1], [2, 3]], work, contextlib.nullcontext, 2))


def test_nothing_begins_after_a_stop_or_once_nobody_asks() -> None:
    """What is at work is finished, and told where somebody still listens."""
    stopped = threading.Event()
    begun: list[int] = []

    def work(job: int, lane: None, ends: Callable[[], bool]) -> int:
        begun.append(job)
        time.sleep(0.005)
        return job

    for _ in chains.run([[n] for n in range(99)], work, contextlib.nullcontext, 1, stopped.is_set):
        stopped.set()
    assert len(begun) < 99
    before = threading.active_count()
    results = chains.run([[0, 1], [2, 3]], work, contextlib.nullcontext, 2)
    next(results)
    results.close()
    assert threading.active_count() == before
    assert list(chains.run([], work, contextlib.nullcontext, 4)) == []
