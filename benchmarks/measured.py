"""What `scaling.py` puts into each process that it measures, worker processes too.

Python imports it before anything else (`sitecustomize`) and does what `SCALING` in the environment
says, in JSON: `cores` limits the process to so many of them; `delay` are seconds that each fsync
and rename takes longer, as on a slow disk; `account` is a folder where the process leaves a file
that says where its time went. Without an account nothing but fsync and rename is touched.

An account's times are of all threads together. Stages are without those inside of them. A stage's
CPU time is that of the thread in it: onnxruntime's own threads are not in it. Waits are told by the
line that waits. `gil` are the seconds that a thread which is due waits for Python's lock, asked
every 5 ms (the time that it waits for a core, told by Linux, is taken off).
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.abc
import importlib.machinery
import inspect
import json
import linecache
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

STAGES = {
    "formats.reader": {"pages": "read: decode"},
    "stills.one_still": {"read": "read: judge, view", "work": "rest of a picture's work"},
    "stills.batch": {"_Publisher.publish": "publish: journal, names"},
    "model.engine": {"Engine.predict": "predict"},
    "color.luma_join": {"colorize_rows": "join", "enlarged_across": "join"},
    "formats.writer": {"write": "encode, metadata"},
    "fs.atomic": {"digest": "hash", "sha256": "hash", "_to_disk": "flush"},
    "clips.shot_list": {"marks": "shots: look, find"},
    "ffmpeg.glances": {"Glances.__next__": "shots: decode"},
    "ffmpeg.decode": {"Frames.__next__": "read: decode"},
    "clips.film_frames": {"lightness": "read: judge, view", "colored": "join"},
    "ffmpeg.encode": {"SegmentWriter.write": "encode, metadata", "SegmentWriter.close": "flush"},
    "ffmpeg.mux": {"join": "publish: join of segments"},
}
"""Module of colorbatch -> function or method -> stage."""
ASK = "wait for the model"
PROBE_SECONDS = 0.005
FIELDS = ("ru_utime", "ru_stime", "ru_minflt", "ru_nvcsw", "ru_nivcsw")
Entry = list[float]


class Account:
    """Name -> [times, seconds, CPU seconds] of each sort."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self.begin()

    def begin(self) -> None:
        """Forget what was."""
        with self._mutex:
            self.sorts: dict[str, dict[str, Entry]] = {}
            self.before = usage()

    def add(self, sort: str, name: str, seconds: float, cpu: float = 0.0) -> None:
        with self._mutex:
            entry = self.sorts.setdefault(sort, {}).setdefault(name, [0, 0.0, 0.0])
            entry[0] += 1
            entry[1] += seconds
            entry[2] += cpu

    def write(self, folder: str) -> None:
        used = [now - before for now, before in zip(usage(), self.before, strict=True)]
        told = self.sorts | {"usage": {name: [n] for name, n in zip(FIELDS, used, strict=True)}}
        Path(folder, f"{os.getpid()}.json").write_text(json.dumps(told), encoding="utf-8")


def usage() -> list[float]:
    """This process's `FIELDS`; zeros where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return [0.0] * len(FIELDS)
    found = resource.getrusage(resource.RUSAGE_SELF)
    return [getattr(found, name) for name in FIELDS]


ACCOUNT = Account()


class _Inside(threading.local):
    seconds = cpu = 0.0


_inside = _Inside()  # of the stage that this thread is in, what those inside of it took


@contextlib.contextmanager
def stage(name: str) -> Iterator[None]:
    outer = _inside.seconds, _inside.cpu
    _inside.seconds = _inside.cpu = 0.0
    began, cpu_began = time.perf_counter(), time.thread_time()
    try:
        yield
    finally:
        seconds, cpu = time.perf_counter() - began, time.thread_time() - cpu_began
        ACCOUNT.add("stages", name, seconds - _inside.seconds, cpu - _inside.cpu)
        _inside.seconds, _inside.cpu = outer[0] + seconds, outer[1] + cpu


def staged(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A function, or what makes a generator, whose time is counted to a stage."""

    @functools.wraps(function)
    def steps(*args: Any, **kwargs: Any) -> Any:
        with contextlib.closing(function(*args, **kwargs)) as items:
            end = object()
            while True:
                with stage(name):
                    item = next(items, end)
                if item is end:
                    return
                yield item
                del item

    @functools.wraps(function)
    def whole(*args: Any, **kwargs: Any) -> Any:
        if function.__name__ == "work":  # (task, recipe, model)
            args = (*args[:2], staged(args[2], ASK))
        with stage(name):
            return function(*args, **kwargs)

    return steps if inspect.isgeneratorfunction(function) else whole


# --- waits and calls ---------------------------------------------------------------------------


def _caller() -> tuple[str, str]:
    """The place in colorbatch that called, and its line."""
    frame = sys._getframe(1)
    while frame.f_back and not str(frame.f_globals.get("__name__")).startswith("colorbatch."):
        frame = frame.f_back
    code, module = frame.f_code, str(frame.f_globals.get("__name__")).removeprefix("colorbatch.")
    line = linecache.getline(code.co_filename, frame.f_lineno).strip()
    return f"{module}.{code.co_qualname.removesuffix('.<locals>.<lambda>')}", line


def _timed(sort: str, function: Callable[..., Any], delay: float = 0.0) -> Callable[..., Any]:
    @functools.wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        if delay:
            time.sleep(delay)
        try:
            return function(*args, **kwargs)
        finally:
            place, line = _caller()
            name = f"{place}: `{line}`" if sort == "waits" else f"{function.__name__}, {place}"
            ACCOUNT.add(sort, name, time.perf_counter() - began)

    return timed


class _Lock:
    """A lock that tells how long one waited for it."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self.acquire = _timed("waits", lock.acquire)

    def __enter__(self) -> Any:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)


class _Condition(threading.Condition):
    wait = _timed("waits", threading.Condition.wait)


class _Event(threading.Event):
    wait = _timed("waits", threading.Event.wait)


class _Threading:
    """`threading` as the modules of colorbatch see it."""

    Event = _Event
    Lock = staticmethod(lambda: _Lock(threading.Lock()))
    RLock = staticmethod(lambda: _Lock(threading.RLock()))
    Condition = staticmethod(lambda: _Condition(cast("Any", _Lock(threading.RLock()))))

    def __getattr__(self, name: str) -> Any:
        return getattr(threading, name)


def _probe() -> None:
    """Ask for Python's lock again and again."""
    own = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")

    def waited_for_core() -> float:
        with contextlib.suppress(OSError):
            return int(own.read_text().split()[1]) / 1e9
        return 0.0

    while True:
        began, core = time.perf_counter(), waited_for_core()
        time.sleep(PROBE_SECONDS)
        late = time.perf_counter() - began - PROBE_SECONDS
        ACCOUNT.add("gil", "late", max(0.0, late - (waited_for_core() - core)))


# --- the start of a process --------------------------------------------------------------------


class _Finder(importlib.abc.MetaPathFinder):
    """Has modules measured as soon as they are there, before others take names from them."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not name.startswith("colorbatch.") and name != "clocks":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                _measure(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _measure(module: ModuleType) -> None:
    if module.__name__ == "clocks":  # the work alone: what was before is the start
        first = module.Clock.__init__

        def begin(clock: object) -> None:
            ACCOUNT.begin()
            first(clock)

        module.Clock.__init__ = begin
        return
    if hasattr(module, "threading"):
        module.threading = _Threading()  # type: ignore[attr-defined]
    for place, name in STAGES.get(module.__name__.removeprefix("colorbatch."), {}).items():
        *owners, attribute = place.split(".")
        owner = functools.reduce(getattr, owners, module)
        setattr(owner, attribute, staged(getattr(owner, attribute), name))


def install() -> None:
    """Do what the environment says."""
    asked = json.loads(os.environ["SCALING"])
    if asked["cores"]:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked["cores"]])
    for name in ("fsync", "replace"):
        setattr(os, name, _timed("calls", getattr(os, name), asked["delay"]))
    if asked["account"]:
        sys.meta_path.insert(0, _Finder())
        leave = os._exit

        def left(code: int) -> None:  # by which workers end
            ACCOUNT.write(asked["account"])
            leave(code)

        os._exit = left  # type: ignore[assignment]
        atexit.register(ACCOUNT.write, asked["account"])
        threading.Thread(target=_probe, daemon=True).start()
