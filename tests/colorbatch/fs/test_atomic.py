"""Nothing half-written bears a name."""

from __future__ import annotations

import errno
import hashlib
import os
import sys

import pytest

from colorbatch.errors import OutputFullError, TargetError
from colorbatch.fs import atomic
from colorbatch.inputs import picture_files

not_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind root"
)


def test_a_target_is_whole_or_absent_at_every_moment(tmp_path):
    """While the block runs nothing bears the name; afterwards the whole file does."""
    target = tmp_path / "a.png"
    with atomic.replacing(target) as file:
        file.write(b"half")
        file.flush()
        assert not target.exists()
        [temporary] = tmp_path.iterdir()
        assert picture_files.is_junk(temporary.name)
        file.write(b" and whole")
    assert target.read_bytes() == b"half and whole"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_nothing_is_left_when_writing_fails(tmp_path, error):
    """Any exception, Ctrl-C included, leaves the old file as it was and no temporary."""
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    with pytest.raises(error), atomic.replacing(target) as file:
        file.write(b"new")
        raise error
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_a_target_error(tmp_path):
    """What the system refuses while writing is one line, and leaves nothing."""
    full = OSError(28, "No space left on device")
    message = r"a\.png: cannot write: No space left"
    with pytest.raises(TargetError, match=message), atomic.replacing(tmp_path / "a.png"):
        raise full
    with pytest.raises(OutputFullError), atomic.replacing(tmp_path / "a.png"):
        raise full
    assert not list(tmp_path.iterdir())


def test_temporaries_are_removed_by_their_owner_alone(tmp_path):
    """Names of another owner, and of none, stay; results stay in any case."""
    names, open_ones = [], []
    for owner in ("", "one", "other"):
        open_ones.append(atomic.replacing(tmp_path / "a.png", owner=owner))
        open_ones[-1].__enter__()
        [new] = {path.name for path in tmp_path.iterdir()} - set(names)
        names.append(new)
    (tmp_path / "a.png").write_bytes(b"x")
    atomic.remove_temporaries(tmp_path, ["one"])
    assert {path.name for path in tmp_path.iterdir()} == {names[0], names[2], "a.png"}
    atomic.remove_temporaries(tmp_path, [])
    atomic.remove_temporaries(tmp_path / "missing", ["one"])
    assert {path.name for path in tmp_path.iterdir()} == {names[0], names[2], "a.png"}


def test_a_whole_file_waits_for_its_name(tmp_path):
    """Under its temporary name it has all its bytes and their hash; then it has the target's."""
    target, told = tmp_path / "a.png", []
    temporary = atomic.temporary_of(target, "one")
    with atomic.unnamed(target, temporary, told.append, modified_ns=10**18) as file:
        file.write(b"wh")
        file.write(b"ole")
        assert not told
    assert list(tmp_path.iterdir()) == [temporary] and temporary.read_bytes() == b"whole"
    [whole] = told
    sha256 = hashlib.sha256(b"whole").hexdigest()
    assert whole == atomic.Unnamed(temporary, target, 5, sha256, 10**18)
    atomic.give_name(whole)
    assert list(tmp_path.iterdir()) == [target] and target.read_bytes() == b"whole"
    assert target.stat().st_mtime_ns == 10**18


def test_a_whole_file_that_gets_no_name_is_gone(tmp_path):
    """Nothing stays of it, neither where its writer fails nor where a folder has its name."""
    target, told = tmp_path / "a.png", []
    temporary = atomic.temporary_of(target)
    failing = atomic.unnamed(target, temporary, told.append)
    with pytest.raises(TargetError, match="no"), failing as file:
        file.write(b"half")
        raise TargetError("no")
    assert not told and not list(tmp_path.iterdir())
    target.mkdir()
    with atomic.unnamed(target, temporary, told.append):
        pass
    with pytest.raises(TargetError, match="cannot write"):
        atomic.give_name(told[0])
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_in_the_way_is_a_target_error(tmp_path):
    """A target that is a folder cannot be replaced, and says so."""
    (tmp_path / "a.png").mkdir()
    with pytest.raises(TargetError, match="cannot write"):
        atomic.write_bytes(tmp_path / "a.png", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


class Held:
    """A file operation that fails a number of times, as Windows says it."""

    def __init__(self, times, winerror=32, number=errno.EACCES):
        self.left, self.error = times, PermissionError(number, "Access is denied")
        if winerror is not None:
            self.error.winerror = winerror

    def __call__(self):
        self.left -= 1
        if self.left >= 0:
            raise self.error
        return "done"


@pytest.mark.parametrize(("winerror", "number"), [(5, 13), (32, 13), (33, 13), (None, errno.EBUSY)])
def test_what_a_viewer_holds_is_done_when_it_lets_go(winerror, number):
    """Again after each wait, ever longer, at most a few seconds in all."""
    waits = []
    action = Held(3, winerror, number)
    assert atomic.patiently(action, sleep=waits.append) == "done"
    assert waits == list(atomic.WAITS[:3]) == sorted(waits)
    assert 2 < sum(atomic.WAITS) < 10


def test_patience_ends():
    """What stays held is the caller's error, after the last wait."""
    waits = []
    with pytest.raises(PermissionError):
        atomic.patiently(Held(1000), sleep=waits.append)
    assert waits == list(atomic.WAITS)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EISDIR])
def test_what_no_waiting_helps_is_said_at_once(number):
    """Rights on Linux, a full disk, a folder in the way."""
    waits = []
    with pytest.raises(OSError, match="denied"):
        atomic.patiently(Held(1, None, number), sleep=waits.append)
    assert not waits


def test_a_target_that_is_held_is_one_clear_line(tmp_path):
    """Errors of a viewer are told from others; the advice says what to do."""
    with pytest.raises(TargetError, match=r"open in another program.*close it"):  # noqa: SIM117
        with atomic.replacing(tmp_path / "a.png"):
            Held(1)()
    with pytest.raises(TargetError, match="cannot write: Access is denied"):  # noqa: SIM117
        with atomic.replacing(tmp_path / "a.png"):
            Held(1, None)()


def test_a_disk_of_windows_says_what_it_does_not_like(tmp_path):
    """exFAT and the like answer EINVAL; the reason is the name, where it is one."""
    refused = OSError(errno.EINVAL, "Invalid argument")
    with pytest.raises(TargetError, match="names as Windows does: it has : in it"):  # noqa: SIM117
        with atomic.replacing(tmp_path / "12-30.png".replace("-", ":")):
            raise refused
    with pytest.raises(TargetError, match="cannot write: Invalid argument"):  # noqa: SIM117
        with atomic.replacing(tmp_path / "a.png"):
            raise refused


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits whole paths")
def test_names_too_long_are_found_before_the_work(tmp_path):
    """Of files and of folders that are not there yet; nothing is made."""
    atomic.check_target(tmp_path / ("x" * 251 + ".png"))
    atomic.check_target(tmp_path / "new" / "er" / "a.png")
    for path in (
        tmp_path / ("x" * 252 + ".png"),
        tmp_path / "new" / ("x" * 252 + ".png"),
        tmp_path / ("\u65e5" * 86) / "a.png",
        tmp_path / "/".join(["x" * 200] * 30),
    ):
        with pytest.raises(TargetError, match="cannot write: File name too long"):
            atomic.check_target(path)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits whole paths")
@pytest.mark.parametrize("letter", ["x", "\N{GRINNING FACE}", "日"])
def test_the_longest_names_can_be_written(tmp_path, letter):
    """A name as long as the file system takes leaves room for the temporary's name."""
    count = (255 - 5) // len(letter.encode())
    one, two = (tmp_path / f"{letter * count}{number}.png" for number in (1, 2))
    with atomic.replacing(one) as first, atomic.replacing(two) as second:  # at the same time
        first.write(b"1")
        second.write(b"2")
    assert (one.read_bytes(), two.read_bytes()) == (b"1", b"2")


def test_a_file_where_a_folder_should_be_is_a_target_error(tmp_path):
    """The output folder is checked before work."""
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(TargetError, match="cannot make this folder"):
            atomic.make_folder(folder)


@not_root
def test_a_read_only_folder_is_a_target_error(tmp_path):
    """Neither made below nor written to."""
    tmp_path.chmod(0o500)
    with pytest.raises(TargetError, match="not writable"):
        atomic.make_folder(tmp_path)
    with pytest.raises(TargetError, match="cannot write"):
        atomic.write_bytes(tmp_path / "a.png", b"x")
    tmp_path.chmod(0o700)
