"""Segments to the finished film: joined beside its name, hashed, and told of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from colorbatch import ffmpeg
from colorbatch.clips.film_journal import Account, FilmBook, Finish, Joined
from colorbatch.clips.film_plan import FilmPlan
from colorbatch.clips.film_source import MARK_TAGS, sha256_of
from colorbatch.clips.resume import FilmJob
from colorbatch.clips.timecodes import timecode_at
from colorbatch.ffmpeg import EncoderSettings
from colorbatch.ffmpeg.fields import OF_ORDER, ORDER_OF
from colorbatch.fs import atomic
from colorbatch.job import FilmOutcome

NAMED = 5
"""So many frames are named in a note."""


def join(
    one: FilmJob,
    mark: str,
    book: FilmBook,
    made: Path,
    stop: Callable[[], bool],
    read: Callable[[str, int], Callable[[int], None]],
) -> Finish:
    """Join the segments to a complete film beside them, and tell what it is. mark: tool and
    model; stop: asked often; read: as `Maker.read`. What an earlier run has joined and recorded
    stays. Raises SourceError, TargetError, StoppedError."""
    account, place = book.account, atomic.reachable(made)
    joined = account.joined
    if joined is None or not place.is_file() or place.stat().st_size != joined.size:
        found = _joined(one, mark, book, made, stop)
        size = place.stat().st_size
        sha256 = sha256_of(made, stop, read("the result is hashed", size))
        joined = Joined(size, sha256, found.frames, found.notes)
        book.join(joined)
    size = account.head.size if account.head else 0
    return Finish(
        size=joined.size,
        sha256=joined.sha256,
        source_sha256=one.plan.footage.sha256(stop, read("the source is hashed", size)),
        frames=joined.frames,
        corrupt=sum(part.corrupt for part in account.in_order),
        notes=joined.notes,
        looks=account.looks,
    )


def _joined(
    one: FilmJob, mark: str, book: FilmBook, made: Path, stop: Callable[[], bool]
) -> ffmpeg.Muxed:
    """Join the segments; what came of it."""
    plan, parts = one.plan, book.account.in_order
    used = {key.lower() for key in plan.film.metadata}
    tag = next((key for key in MARK_TAGS if key not in used), MARK_TAGS[-1])
    return ffmpeg.join(
        [part.segment for part in parts],
        plan.film,
        made,
        _as_seen(plan.encoding, seen_in(book.account)),
        container=plan.container,
        drop=plan.drop,
        tags={tag: mark},
        timecode=timecode_at(plan.film, parts[0].segment.first),
        cut=(plan.span[0] is not None, plan.span[1] is not None),
        owner=book.owner,
        stop=stop,
    )


def seen_in(account: Account) -> Counter[str]:
    """What the film's pictures carry, and how many of them; see `Part.seen`."""
    found = Counter[str]()
    for part in account.in_order:
        found.update(part.seen)
    return found


def _as_seen(encoding: EncoderSettings, seen: Mapping[str, int]) -> EncoderSettings:
    """The encoding with the field order that most of the film's interlaced pictures have, where
    those that were looked at before the work had none."""
    if encoding.field_order in OF_ORDER or not (seen["tff"] or seen["bff"]):
        return encoding
    most = "tff" if seen["tff"] >= seen["bff"] else "bff"
    return replace(encoding, field_order=ORDER_OF[most])


def _fields_told(plan: FilmPlan, seen: Mapping[str, int], frames: int) -> tuple[str, ...]:
    """What an encoder that does not mark each picture made of the others, in words."""
    encoding, interlaced = plan.encoding, seen["tff"] + seen["bff"]
    same = seen[encoding.alike] if encoding.alike else 0
    if encoding.alike and same < frames:
        return (
            f"{frames - same:,} of {frames:,} pictures have another field order and are marked as "
            f"the others: {encoding.codec} codes all alike",
        )
    if interlaced and not encoding.alike and ffmpeg.encoder_named(encoding.codec).field_flags:
        return (f"{interlaced:,} interlaced pictures are coded as progressive ones",)
    return ()


def _lost(plan: FilmPlan, seen: Mapping[str, int], frames: int) -> str:
    """What the pictures carry and the result does not, in words, with how many had it."""
    more = [name for name in seen if name not in ("tff", "bff")]
    names = ffmpeg.not_kept(plan.film, plan.encoding, plan.container, more)
    return ", ".join(
        f"{name} (of {seen[name]:,} of {frames:,} pictures)" if 0 < seen[name] < frames else name
        for name in names
    )


def outcome(one: FilmJob, finish: Finish, account: Account) -> FilmOutcome:
    """What a finished film is told with."""
    told = _told(one, account)
    notes = (*one.plan.footage.losses, *told, *(account.ending or ()), *finish.notes)
    if finish.corrupt and not told:
        notes = (f"{finish.corrupt:,} damaged frames have the color of those before", *notes)
    if one.plan.refusals:
        left = ", ".join(each.what for each in one.plan.refusals)
        notes = (f"left out: {left}", *notes)
    seen = seen_in(account)
    notes = (*_fields_told(one.plan, seen, finish.frames), *notes)
    if lost := _lost(one.plan, seen, finish.frames):
        notes = (f"not kept: {lost}", *notes)
    return FilmOutcome(
        one.job.source,
        one.job.target,
        "colored",
        kind=one.kind,
        notes=notes,
        frames=finish.frames,
        corrupt=finish.corrupt,
        source_sha256=finish.source_sha256,
        target_sha256=finish.sha256,
    )


def _told(one: FilmJob, account: Account) -> tuple[str, ...]:
    """What was done to single frames, in words, with how many they are and the first of them."""
    ticks: dict[str, list[int]] = {}
    for part in account.in_order:
        for note, found in part.told.items():
            ticks.setdefault(note, []).extend(found)
    lines = []
    for note, found in ticks.items():
        names = ", ".join(one.plan.footage.name(tick) for tick in found[:NAMED])
        more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
        lines.append(f"{len(found):,} frame{'s' * (len(found) > 1)} {note} ({names}{more})")
    return tuple(lines)
