"""A look at a film before the work: stills, made as their shots will be, and the list of these.

Flows in: a planned film. Flows out: stills (`preview`) and a list (`shots_beside`). Stills take
seconds and the pass that finds the shots may take minutes, so stills come first: each by what its
own picture shows, and made again where its shot is found to be another. Where the shots are known
already, or a list says what is to become of them, they are made as their shots are at once.

What the pass finds is kept in the film's journal, and the run has it, where nothing of the film is
made yet; of one that is finished or under way nothing is touched, and the pass is lost.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from colorbatch.clips import film_journal, preview, resume, sampling, shots_beside
from colorbatch.clips.clip import Maker
from colorbatch.clips.film_journal import Account, FilmBook, Head
from colorbatch.clips.preview import Pair, Preview
from colorbatch.clips.resume import FilmJob
from colorbatch.clips.segment import OtherPicturesError
from colorbatch.clips.shot_looks import Look, take_at
from colorbatch.clips.shot_pass import find_shots, watched
from colorbatch.errors import LockedError
from colorbatch.ffmpeg import Frame
from colorbatch.fs import atomic


def write(one: FilmJob, maker: Maker, count: int) -> Preview:
    """Write stills of a film, `count` at most, and the list of its shots. Raises SourceError,
    TargetError, UsageError for a list that does not fit the film."""
    plan, looks = one.plan, dict[int, Look]()

    def pairs(of: FilmJob, frames: Iterable[Frame]) -> Iterator[Pair]:
        for frame, pair, look in preview.of_film(of, maker.color, maker.settings, frames):
            looks[frame.pts] = look
            yield pair

    head = resume.head_of(one, maker.settings, maker.model_sha256)
    account = film_journal.read(film_journal.folder_of(one.job))
    listed = resume.is_listed(plan, head, account)
    if not listed and one.sheet is not None:
        account, listed = _found(one, maker, head), True
    if listed:
        one = _with_takes(one, maker, account)
    shown = pairs(one, sampling.spread(plan.footage, count, plan.span))
    stills, each = preview.write_pairs(one.job, shown, count)
    if not listed:
        maker.say(f"{one.job.source}: {len(stills)} stills are written; now its shots are found")
        account = _found(one, maker, head)
        one = _with_takes(one, maker, account)
        others = [at for at in looks if take_at(one.takes, at).look != looks[at]]
        frames = (sampling.frame_at(plan.footage, at, None) for at in others)
        for pair in pairs(one, (frame for frame in frames if frame is not None)):
            preview.write_pair(one.job.target.parent, pair.name, pair.before, pair.after)
    model = maker.engine.path.stem
    path = shots_beside.write_for_preview(one, one.takes, account, model)
    return Preview(stills, each, path)


def _with_takes(one: FilmJob, maker: Maker, account: Account) -> FilmJob:
    return replace(one, takes=tuple(resume.takes_of(one, maker.settings, account)))


def _found(one: FilmJob, maker: Maker, head: Head) -> Account:
    """What is known of a film, its shots found."""
    folder, target = film_journal.folder_of(one.job), one.job.target
    account = film_journal.read(folder)
    if _is_untouched(one, account):
        try:
            with FilmBook(folder, target) as book:
                if _is_untouched(one, book.account):
                    return _passed(one, maker, book, head)
        except LockedError:
            pass
    with (
        tempfile.TemporaryDirectory(prefix="colorbatch-") as beside,
        FilmBook(Path(beside), target) as book,
    ):
        made = _passed(one, maker, book, head)
    made.sheets = account.sheets
    return made


def _is_untouched(one: FilmJob, account: Account) -> bool:
    """Whether there is nothing of a film yet, but for its shots."""
    made = account.parts or account.finish or account.former or account.replaces
    return not made and not atomic.reachable(one.job.target).exists()


def _passed(one: FilmJob, maker: Maker, book: FilmBook, head: Head) -> Account:
    """The account of a film of which nothing is made, with the list of its shots."""
    resume.begin(one.plan, book, head)
    try:
        find_shots(watched(one.plan), maker, book)
    except OtherPicturesError:
        book.begin(head)
        find_shots(watched(one.plan), maker, book)
    return book.account
