"""A look: what is saved in it, what is taken from it, and what is none."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from colorbatch.clips import look_file, shot_sheet
from colorbatch.clips.request import ClipRequest, ShotFiles
from colorbatch.errors import UsageError
from colorbatch.job import FilmSettings


def request(look: Path, **asked) -> ClipRequest:
    return ClipRequest(sources=(), output=None, look=look, **asked)


@pytest.fixture
def project(tmp_path):
    """A folder with a look of two films, of which one has a list and the other stills."""
    folder = tmp_path / "project"
    settings = FilmSettings(saturation=0.8, stability=0.5, on_color="keep", on_toned="skip")
    first = request(
        folder / "a.json",
        settings=settings,
        model="unet32",
        shots=folder / "lists" / "one.csv",
        named=frozenset({"model", *look_file.SETTINGS}),
    )
    look_file.save(first, None, folder / "one.mov")
    again = request(folder / "a.json", references=folder / "stills")
    found = look_file.read(folder / "a.json")
    look_file.save(look_file.applied(again, found), found, tmp_path / "other" / "two.mov")
    return folder


def test_what_is_not_asked_for_is_the_looks(project):
    """Settings, model, and the files of each film; what is asked for by name stays."""
    found = look_file.read(project / "a.json")
    made = look_file.applied(request(project / "a.json"), found)
    assert made.model == "unet32"
    changed = {"saturation": 0.8, "stability": 0.5, "on_color": "keep", "on_toned": "skip"}
    assert made.settings == dataclasses.replace(FilmSettings(), **changed)
    assert made.films == {
        project / "one.mov": ShotFiles(project / "lists" / "one.csv"),
        project.parent / "other" / "two.mov": ShotFiles(None, project / "stills"),
    }
    own = request(
        project / "a.json",
        settings=FilmSettings(saturation=1.5, stability=1.0),
        named=frozenset({"saturation", "model"}),
        films={project / "one.mov": ShotFiles(project / "mine.csv")},
    )
    made = look_file.applied(own, found)
    assert (made.settings.saturation, made.settings.stability, made.model) == (1.5, 0.5, None)
    assert made.films[project / "one.mov"].shots == project / "mine.csv"


def test_a_project_can_be_moved(project, tmp_path):
    """Its paths are seen from the look, and no path of the machine is in it where it need not."""
    assert str(tmp_path) not in (project / "a.json").read_text("utf-8")
    moved = tmp_path / "elsewhere" / "project"
    shutil.copytree(project, moved)
    films = look_file.read(moved / "a.json").films
    assert films[moved / "one.mov"].shots == moved / "lists" / "one.csv"


def test_the_same_look_is_not_written_again(project):
    """And of a film both files are kept, though one run names one of them."""
    file = project / "a.json"
    found = look_file.read(file)
    before = file.stat()
    look_file.save(look_file.applied(request(file), found), found, project / "one.mov")
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    asked = request(file, references=project / "stills")
    look_file.save(look_file.applied(asked, found), found, project / "one.mov")
    both = ShotFiles(project / "lists" / "one.csv", project / "stills")
    assert look_file.read(file).films[project / "one.mov"] == both


def test_another_model_of_the_name_is_refused(project):
    """Until one is named, which is saved."""
    file = project / "a.json"
    values = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(values | {"model_sha256": "0" * 64}))
    found = look_file.read(file)
    with pytest.raises(UsageError, match="its model unet32 is not the one"):
        look_file.applied(request(file), found)
    asked = request(file, model="lite-unet", named=frozenset({"model"}))
    look_file.save(look_file.applied(asked, found), found, None)
    assert look_file.applied(request(file), look_file.read(file)).model == "lite-unet"


def test_a_model_file_is_named_as_seen_from_the_look(tiny_model, tmp_path):
    """By its path, and found again from there."""
    file = tmp_path / "deep" / "a.json"
    look_file.save(request(file, model=str(tiny_model)), None, None)
    made = look_file.applied(request(file), look_file.read(file))
    assert Path(made.model) == tiny_model


def test_the_models_of_a_list_are_kept_by_path_and_content(tmp_path):
    """Another one is refused until the list is named again; the look can be moved with them."""
    file, film = tmp_path / "p" / "a.json", tmp_path / "p" / "one.mov"
    (tmp_path / "p").mkdir()
    listed, model = tmp_path / "p" / "x.csv", tmp_path / "p" / "m.onnx"
    model.write_bytes(b"first")
    listed.write_text("start,end,model\n0,5,m.onnx\n6,9,lite-unet\n")
    asked = request(file, shots=listed, model="unet32")
    look_file.save(asked, None, film, shot_sheet.read(listed))
    told = json.loads(file.read_text("utf-8"))["films"]["one.mov"]
    assert list(told["models"]) == ["m.onnx", "lite-unet"] and str(tmp_path) not in str(told)
    moved = tmp_path / "moved"
    (tmp_path / "p").rename(moved)
    file, listed = moved / "a.json", moved / "x.csv"
    files = look_file.read(file).films[moved / "one.mov"]
    look_file.refuse_other_models(file, files, shot_sheet.read(listed))
    (moved / "m.onnx").write_bytes(b"second")
    sheet = shot_sheet.read(listed)
    with pytest.raises(UsageError, match=r"a\.json: the model .*m\.onnx of .*x\.csv is not"):
        look_file.refuse_other_models(file, files, sheet)
    look_file.refuse_other_models(file, ShotFiles(listed), sheet)
    found = look_file.read(file)
    again = look_file.applied(request(file, shots=listed), found)
    look_file.save(again, found, moved / "one.mov", sheet)
    files = look_file.read(file).films[moved / "one.mov"]
    look_file.refuse_other_models(file, files, sheet)
    assert files.over(ShotFiles()).models == files.models
    assert ShotFiles(moved / "other.csv").over(files).models == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no look"),
        ("[1]", "is no look"),
        ('{"settings": {}}', "is no look"),
        ("[" * 100_000, "is no look"),
        ('{"colorbatch_look": 2}', "of version 2"),
        ('{"colorbatch_look": 1, "films": []}', "films is not in braces"),
        ('{"colorbatch_look": 1, "sttings": {}}', "'sttings' is nothing"),
        ('{"colorbatch_look": 1, "model": 5}', "are words"),
        ('{"colorbatch_look": 1, "settings": {"codec": "ffv1"}}', "'codec' is no setting"),
        ('{"colorbatch_look": 1, "settings": {"saturation": 9}}', "saturation cannot be 9"),
        ('{"colorbatch_look": 1, "settings": {"saturation": NaN}}', "saturation cannot be NaN"),
        ('{"colorbatch_look": 1, "settings": {"stability": true}}', "stability cannot be true"),
        ('{"colorbatch_look": 1, "settings": {"on_color": "x"}}', 'on_color cannot be "x"'),
        ('{"colorbatch_look": 1, "films": {"a.mov": {"shots": 1}}}', "a.mov: shots and"),
        ('{"colorbatch_look": 1, "films": {"a.mov": {"list": "b"}}}', "a.mov: shots and"),
        ('{"colorbatch_look": 1, "films": {"a.mov": {"models": []}}}', "a.mov: models is not in"),
        ('{"colorbatch_look": 1, "films": {"a.mov": {"models": {"b": 1}}}}', "have a SHA-256 each"),
    ],
)
def test_what_is_no_look_is_refused_in_words(tmp_path, text, why):
    """One line, with the file and what is wrong."""
    file = tmp_path / "a.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=why) as told:
        look_file.read(file)
    assert str(file) in str(told.value) and "\n" not in str(told.value)


def test_no_file_is_no_look_yet(tmp_path):
    """It is made by the run; a folder is refused."""
    assert look_file.read(tmp_path / "a.json") is None
    with pytest.raises(UsageError, match="cannot be read"):
        look_file.read(tmp_path)
