"""The command line as its users meet it: processes, exit codes, files, lines."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorbatch.cli import cli
from colorbatch.model.contract import DEFAULT_MODEL, embedded_models, find_model

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def grey(seed=0, size=(40, 60)):
    return np.random.default_rng(seed).integers(30, 220, size, np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Five grey pictures of several kinds in nested folders; returns the folder and its pixels."""
    source = tmp_path / "source"
    pictures = {}
    for index, name in enumerate(["a.png", "b.tif", "deep/c.png", "deep/er/d.webp", "e 16.tif"]):
        pixels = grey(index)
        if "16" in name:
            pixels = pixels.astype(np.uint16) * 257
        save(source / name, pixels, **({"lossless": True} if name.endswith("webp") else {}))
        pictures[name] = pixels
    return source, pictures


def files_below(folder):
    """All files but the journal's."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")
                  if path.is_file() and path.parent.name != ".colorbatch")  # fmt: skip


def luma_of(path):
    if path.suffix == ".tif":
        rgb = tifffile.imread(path)
    else:
        with Image.open(path) as image:
            rgb = np.array(image.convert("RGB"))
    assert np.ptp(rgb.astype(int), axis=2).max() > 20  # it is in color
    return rgb @ np.array([0.299, 0.587, 0.114])


def assert_colored(path, pixels):
    """A result is whole, in color, of the source's depth, and has its luma."""
    assert np.abs(luma_of(path) - pixels).max() <= 0.5


def summary_line(result):
    return result.stderr.strip().splitlines()[-1]


# --- the work ----------------------------------------------------------------------------------


def test_a_folder_is_colored_and_a_second_run_skips(run_cli, tiny_model, folder, tmp_path):
    """The tree is mirrored, luma kept, sources untouched; the same command again does nothing."""
    source, pictures = folder
    before = {path: path.read_bytes() for path in source.rglob("*.*")}
    first = run_cli("images", source, "-o", tmp_path / "out", "-m", tiny_model, "--device", "cpu")
    assert first.returncode == 0, first.stderr
    assert "5 colored" in summary_line(first)
    assert "5 grey" in summary_line(first)
    assert "CPUExecutionProvider" in first.stderr.splitlines()[0]
    assert files_below(tmp_path / "out") == sorted(pictures)
    for name, pixels in pictures.items():
        assert_colored(tmp_path / "out" / name, pixels)
    assert {path: path.read_bytes() for path in source.rglob("*.*")} == before

    stamps = {path: path.stat().st_ctime_ns for path in (tmp_path / "out").rglob("[!.]*.*")}
    second = run_cli("images", source, "-o", tmp_path / "out", "-m", tiny_model)
    assert second.returncode == 0
    assert "0 colored, 5 skipped (5 finished);" in summary_line(second)
    results = [tmp_path / "out" / name for name in files_below(tmp_path / "out")]
    assert all(path.stat().st_ctime_ns == stamps[path] for path in results)

    third = run_cli("images", source, "-o", tmp_path / "out", "-m", tiny_model, "--overwrite")
    assert "0 colored, 5 skipped (5 finished);" in summary_line(third)  # nothing is outdated
    fourth = run_cli("images", source, "-o", tmp_path / "out", "-m", tiny_model, "--redo-all")
    assert "5 colored" in summary_line(fourth)
    assert all(path.stat().st_ctime_ns != stamps[path] for path in results)


def test_beside_the_source_twice(run_cli, tiny_model, folder):
    """Without -o results stand beside their sources, and are not taken for sources later."""
    source, pictures = folder
    for expected in ("5 colored", "0 colored, 5 skipped"):
        result = run_cli("images", source, "-m", tiny_model)
        assert result.returncode == 0, result.stderr
        assert expected in summary_line(result)
        names = [str(Path(n).with_stem(Path(n).stem + "_colorized").as_posix()) for n in pictures]
        assert files_below(source) == sorted([*pictures, *names])


def test_results_elsewhere_are_known_by_their_mark(run_cli, tiny_model, folder, tmp_path):
    """A folder of results given as source is skipped, whatever its name."""
    source, _ = folder
    run_cli("images", source, "-o", tmp_path / "out", "-m", tiny_model)
    (tmp_path / "out").rename(tmp_path / "other")
    result = run_cli("images", tmp_path / "other", "-o", tmp_path / "out2", "-m", tiny_model)
    assert result.returncode == 0
    assert "5 made by colorbatch" in summary_line(result)
    assert not files_below(tmp_path / "out2")


def test_one_picture_to_a_name(run_cli, tiny_model, tmp_path):
    """-o NAME.ext writes that file, in the format of its name."""
    path = save(tmp_path / "a.png", grey())
    result = run_cli("images", path, "-o", tmp_path / "new" / "b.tif", "-m", tiny_model)
    assert result.returncode == 0, result.stderr
    assert_colored(tmp_path / "new" / "b.tif", grey())
    assert files_below(tmp_path / "new") == ["b.tif"]


def test_format_changes_all_results(run_cli, tiny_model, folder, tmp_path):
    """--format writes every result in that format, with its ending."""
    source, pictures = folder
    result = run_cli("images", source, "-o", tmp_path / "o", "-m", tiny_model, "--format", "png")
    assert result.returncode == 0, result.stderr
    for name, pixels in pictures.items():
        path = (tmp_path / "o" / name).with_suffix(".png")
        with Image.open(path) as image:
            assert image.format == "PNG"
        if pixels.dtype == np.uint8:
            assert_colored(path, pixels)


@pytest.mark.parametrize(
    ("on_color", "summary", "written"),
    [
        ("keep", "2 colored, 1 kept", ["c.png", "g.png", "t.png"]),
        ("skip", "2 colored, 1 skipped", ["g.png", "t.png"]),
        ("colorize", "3 colored", ["c.png", "g.png", "t.png"]),
    ],
)
def test_grey_toned_and_color_are_told_apart(
    run_cli, tiny_model, photograph, grey_photograph, tmp_path, on_color, summary, written
):
    """Pictures in color are copied, left out or colored, as asked; all kinds are counted."""
    rgb = photograph("astronaut")[:200, :200]
    plain = grey_photograph("astronaut")[:200, :200]
    source = tmp_path / "source"
    save(source / "c.png", rgb)
    save(source / "g.png", plain)
    save(source / "t.png", (plain[..., None] * np.array([1, 0.9, 0.7])).astype(np.uint8))
    result = run_cli(
        "images", source, "-o", tmp_path / "out", "-m", tiny_model, "--on-color", on_color
    )
    assert result.returncode == 0, result.stderr
    assert summary in summary_line(result)
    remark = {"keep": " (kept; --on-color colorize)", "skip": " (skipped; --on-color colorize)"}
    kinds = f"1 grey, 1 toned, 1 color{remark.get(on_color, '')};"
    assert kinds in summary_line(result)
    planned = ("images", source, "-o", tmp_path / "p", "-m", tiny_model, "--dry-run", "--on-color")
    dry = run_cli(*planned, on_color)
    assert kinds.rstrip(";") in summary_line(dry)  # the same words before the work
    assert not (tmp_path / "p").exists()
    assert files_below(tmp_path / "out") == written
    if on_color == "keep":
        assert (tmp_path / "out/c.png").read_bytes() == (source / "c.png").read_bytes()
    named = run_cli("images", source / "c.png", "-o", tmp_path / "n", "-m", tiny_model)
    assert "1 colored" in summary_line(named)  # named one by one: colored in any case


def test_without_an_output_what_is_kept_is_left_alone(run_cli, tiny_model, photograph, tmp_path):
    """Beside its original a copy would say that it was colorized: what is kept has none."""
    rgb = photograph("astronaut")[:200, :200]
    save(tmp_path / "source/c.png", rgb)
    tone = rgb[..., 1:2] * np.array([1, 0.9, 0.7])
    save(tmp_path / "source/t.png", tone.astype(np.uint8))
    save(tmp_path / "source/g.png", rgb[..., 0])
    result = run_cli("images", "source", "-m", tiny_model, "--on-toned", "keep")
    assert "1 colored, 2 skipped (" in summary_line(result)
    assert "1 toned (skipped; --on-toned colorize)" in summary_line(result)
    assert files_below(tmp_path / "source") == ["c.png", "g.png", "g_colorized.png", "t.png"]


@pytest.mark.parametrize("words", [["", "-o", "out"], ["a.png", "-o", ""], ["a.png", "--log", ""]])
def test_an_empty_name_is_no_folder(run_cli, tiny_model, tmp_path, words):
    """A variable of the shell that was not set does not mean the working directory."""
    save(tmp_path / "a.png", grey(1))
    result = run_cli("images", *words, "-m", tiny_model)
    assert result.returncode == 2 and "an empty name" in result.stderr
    assert files_below(tmp_path) == ["a.png"]


def test_toned_pictures_are_kept_if_asked(run_cli, tiny_model, grey_photograph, tmp_path):
    """--on-toned keep copies them byte for byte and counts them, but colors the one named."""
    plain = grey_photograph("coffee")[:120, :160]
    tinted = (plain[..., None] * np.array([1, 0.9, 0.7])).astype(np.uint8)
    save(tmp_path / "source/t.jpg", tinted)
    save(tmp_path / "source/g.png", plain)
    env = {"COLORBATCH_ON_TONED": "keep"}
    result = run_cli("images", "source", "-o", "out", "-m", tiny_model, "--json", env=env)
    assert result.returncode == 0, result.stderr
    assert "1 colored, 1 kept; 1 grey, 1 toned (kept; --on-toned colorize)" in summary_line(result)
    *lines, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(one["kind"], one["status"]) for one in lines] == [
        ("grey", "colored"), ("toned", "kept"),
    ]  # fmt: skip
    assert last["summary"]["kinds"] == {"grey": 1, "toned": 1}
    assert last["summary"]["made_by"]["settings"]["on_toned"] == "keep"
    assert (tmp_path / "out/t.jpg").read_bytes() == (tmp_path / "source/t.jpg").read_bytes()
    named = run_cli("images", "source/t.jpg", "-o", "n.jpg", "-m", tiny_model, env=env)
    assert "1 colored; 1 toned;" in summary_line(named)


def test_dry_run_as_json_says_what_would_become_of_each(run_cli, tiny_model, photograph, tmp_path):
    """Kind and fate of every source, one line each, as the run itself then has them."""
    save(tmp_path / "src/c.png", photograph("coffee")[:120, :160])
    save(tmp_path / "src/g.png", grey())
    dry = run_cli("images", "src", "-o", "out", "-m", tiny_model, "--dry-run", "--json")
    *lines, last = [json.loads(line) for line in dry.stdout.splitlines()]
    assert last["summary"]["dry_run"] is True
    assert [(one["status"], one["kind"], one["would_be"]) for one in lines] == [
        ("planned", "color", "kept"), ("planned", "grey", "colored"),
    ]  # fmt: skip
    result = run_cli("images", "src", "-o", "out", "-m", tiny_model, "--json")
    done = [json.loads(line) for line in result.stdout.splitlines()[:-1]]
    assert [one["status"] for one in done] == [one["would_be"] for one in lines]


def test_dry_run_writes_nothing(run_cli, tiny_model, folder, tmp_path):
    """--dry-run says what would be done and leaves the disk as it is."""
    source, pictures = folder
    before = files_below(tmp_path)
    result = run_cli("images", source, "-o", tmp_path / "out", "-m", tiny_model, "--dry-run")
    assert result.returncode == 0
    for name in pictures:
        assert f"{source / name} -> {tmp_path / 'out' / name}" in result.stdout
    assert "5 to do" in result.stderr
    assert files_below(tmp_path) == before
    assert not (tmp_path / "out").exists()


def test_json_lines_are_true(run_cli, tiny_model, folder, tmp_path):
    """Every line parses; there is one per picture in order, and a summary that adds up."""
    source, pictures = folder
    (source / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    save(tmp_path / "out" / "a.png", grey())  # finished earlier
    result = run_cli("images", source, "-o", tmp_path / "out", "-m", tiny_model, "--json", "-v")
    assert result.returncode == 3
    *lines, last = [json.loads(line) for line in result.stdout.splitlines()]
    statuses = {Path(line["source"]).relative_to(source).as_posix(): line["status"]
                for line in lines}  # fmt: skip
    expected = dict.fromkeys(pictures, "colored")
    assert statuses == expected | {"a.png": "skipped", "broken.png": "failed"}
    assert all(Path(line["target"]).is_file() for line in lines if line["status"] != "failed")
    [failed] = [line for line in lines if line["status"] == "failed"]
    assert failed["reason"] == "the file is truncated or broken"
    summary = last["summary"]
    assert summary["total"] == len(lines) == 6
    counts = {name: summary[name] for name in ("colored", "kept", "skipped", "failed")}
    assert counts == {"colored": 4, "kept": 0, "skipped": 1, "failed": 1}
    assert summary["exit_code"] == 3
    assert summary["interrupted"] is False
    assert summary["kinds"] == {"grey": 4}


def test_quiet_says_nothing_but_failures(run_cli, tiny_model, folder, tmp_path):
    """-q leaves the failures, for cron."""
    source, _ = folder
    first = run_cli("images", source, "-o", tmp_path / "out", "-m", tiny_model, "-q")
    assert (first.returncode, first.stdout, first.stderr) == (0, "", "")
    (source / "broken.png").write_bytes(b"x")
    second = run_cli("images", source, "-o", tmp_path / "out", "-m", tiny_model, "-q")
    assert second.returncode == 3
    assert len(second.stderr.splitlines()) == 1


# --- failures ----------------------------------------------------------------------------------


def test_one_bad_file_is_one_line_and_exit_3(run_cli, tiny_model, folder, tmp_path):
    """Each bad file is named with its reason; all others are done."""
    source, pictures = folder
    png = (source / "a.png").read_bytes()
    bad = {"cut.png": png[: len(png) // 2], "empty.jpg": b"", "text.tif": b"Dear Sir"}
    whole = io.BytesIO()
    tifffile.imwrite(whole, grey(3), description="x" * 300)
    tiff = whole.getvalue()
    for tenth in range(1, 10):  # libraries like to log what is wrong with these
        bad[f"cut{tenth}.tif"] = tiff[: len(tiff) * tenth // 10]
    bad["noise.tif"] = tiff[:8] + bytes(range(256)) + tiff[264:]
    for name, data in bad.items():
        (source / name).write_bytes(data)
    result = run_cli("images", source, "-o", tmp_path / "out", "-m", tiny_model)
    assert result.returncode == 3
    first, *failures, _ = result.stderr.splitlines()  # between the first line and the summary
    assert "pictures to do" in first
    assert all(line.startswith("failed: ") for line in failures)
    assert len(failures) == len(bad)
    assert "0x" not in result.stderr  # no addresses in memory
    for name in bad:
        assert sum(f"{source / name}: " in line for line in failures) == 1
    assert "Traceback" not in result.stderr
    assert f"5 colored, {len(bad)} failed" in summary_line(result)
    assert files_below(tmp_path / "out") == sorted(pictures)


def test_fail_fast_begins_nothing_new(run_cli, tiny_model, tmp_path):
    """--fail-fast ends after the first failure, and says how many were not begun."""
    source = tmp_path / "source"
    for index in range(60):
        save(source / f"{index:02}.png", grey(index))
    (source / "00.png").write_bytes(b"x")
    result = run_cli(
        "images", source, "-o", tmp_path / "o", "-m", tiny_model,
        "--fail-fast", "--workers", 1, "--batch-size", 1,
    )  # fmt: skip
    assert result.returncode == 3
    written = len(files_below(tmp_path / "o"))
    assert written < 20
    assert f"{59 - written} not begun" in summary_line(result)


def test_a_model_that_fails_at_run_time_fails_pictures_not_the_tool(
    run_cli, make_model, folder, tmp_path
):
    """Every picture becomes a failure with its reason; no grey result is written."""
    source, _ = folder
    model = make_model(tmp_path / "fails.onnx", body="fails")
    result = run_cli("images", source, "-o", tmp_path / "out", "-m", model)
    assert result.returncode == 3
    assert "5 failed" in summary_line(result)
    assert not files_below(tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["images", "missing"], 2, "no such file or folder"),
        (["images"], 2, "SOURCE"),
        (["images", "src", "--nonsense"], 2, "--nonsense"),
        (["images", "src", "-o", "out", "--saturation", "9"], 2, "saturation"),
        (["images", "src", "-o", "src"], 2, "never written to"),
        (["images", "empty", "-o", "out"], 2, "no pictures found"),
        (["images", "src", "-o", "out", "--device", "tpu"], 2, "cuda:N"),
        (["images", "src", "-o", "out", "--device", "cpu", "-g", "0"], 2, "contradict"),
        (["images", "src", "-o", "out", "-m", "gone.onnx"], 1, "no such model file"),
        (["images", "src", "-o", "out", "-m", "src/a.png"], 1, "not a model"),
        (["images", "src", "-o", "src/a.png/below"], 1, "cannot make this folder"),
        (["models", "gone"], 1, "no such model file"),
        (["verify", "gone"], 1, "no such model file"),
    ],
)
def test_what_cannot_run_says_why_in_one_line(
    run_cli, tiny_model, tmp_path, arguments, code, words
):
    """Exit 2 for a wrong command, 1 for what could not run; no traceback, nothing written."""
    save(tmp_path / "src/a.png", grey())
    (tmp_path / "empty").mkdir()
    env = {"COLORBATCH_MODEL": str(tiny_model)} if "-m" not in arguments else {}
    result = run_cli(*arguments, env=env)
    assert result.returncode == code, result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    if not result.stderr.startswith("Usage"):
        assert len(result.stderr.splitlines()) == 1
    if (tmp_path / "out").exists():
        assert not files_below(tmp_path / "out")


def test_two_sources_for_one_target_stop_before_work(run_cli, tiny_model, tmp_path):
    """a.tif and a.jpg with --format png: both are named, and nothing is written."""
    for name in ("a.tif", "a.jpg"):
        save(tmp_path / "src" / name, grey())
    result = run_cli("images", "src", "-o", "out", "--format", "png", "-m", tiny_model)
    assert result.returncode == 2
    assert "a.tif" in result.stderr and "a.jpg" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("device", [["--device", "cuda"], ["--device", "cuda:1"], ["-g", "0"]])
def test_cuda_that_is_not_there_is_exit_4(run_cli, tiny_model, folder, tmp_path, device):
    """The asked device is never silently replaced: reason and remedy, nothing written."""
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this runtime offers CUDA")
    result = run_cli("images", folder[0], "-o", tmp_path / "out", "-m", tiny_model, *device)
    assert result.returncode == 4
    assert re.search(r"cuda:\d cannot be used: .*no CUDA", result.stderr)
    assert 'pip install "colorbatch[cuda13]"' in result.stderr
    assert "--device cpu" in result.stderr
    assert not files_below(tmp_path / "out")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_names_that_are_not_text_are_done_and_shown_on_one_line(run_cli, tiny_model, tmp_path):
    """Names that are not UTF-8, with line breaks, spaces, emoji: colored, and safe to print."""
    source = tmp_path / "src"
    source.mkdir()
    names = [b"caf\xe9.png", b"two\nlines.png", "\N{GRINNING FACE} x.png".encode(), b"-rf.png"]
    data = save(tmp_path / "data.png", grey()).read_bytes()
    for name in names:
        (source / os.fsdecode(name)).write_bytes(data)
        (source / os.fsdecode(b"bad" + name)).write_bytes(b"no picture")
    for locale in ("C", "en_US.UTF-8"):
        out = tmp_path / locale
        env = {"LC_ALL": locale, "PYTHONIOENCODING": "utf-8:strict"} if locale != "C" else {}
        dry = run_cli("images", source, "-o", out, "-m", tiny_model, "--dry-run", env=env)
        assert dry.returncode == 3, dry.stderr  # reading for kinds finds what cannot be read
        assert len(dry.stdout.splitlines()) == 4
        assert len([line for line in dry.stderr.splitlines() if line.startswith("failed")]) == 4
        result = run_cli("images", source, "-o", out, "-m", tiny_model, "--json", env=env)
        assert result.returncode == 3, result.stderr
        failures = [line for line in result.stderr.splitlines() if line.startswith("failed")]
        assert len(failures) == 4
        assert len(result.stderr.splitlines()) == 6  # and the first and the last line
        shown = [json.loads(line) for line in result.stdout.splitlines()[:-1]]
        found = {os.fsencode(Path(one["target"]).name) for one in shown
                 if one["status"] == "colored"}  # fmt: skip
        assert found == set(names)
        for name in names:
            assert_colored(out / os.fsdecode(name), grey())


# --- interruptions -----------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path):
    """Forty pictures, large enough that a batch of them takes seconds."""
    source = tmp_path / "many"
    pixels = np.kron(grey(1, (60, 80)), np.ones((10, 10), np.uint8))
    first = save(source / "000.png", pixels, compress_level=1)
    for index in range(1, 40):
        shutil.copy(first, source / f"{index:03}.png")
    return source, pixels


def begin(clean_env, *arguments):
    """Start the tool in the background, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "colorbatch", *map(str, arguments)],
        env=clean_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        start_new_session=True,
    )  # fmt: skip


def wait_for_files(process, folder, count):
    """Until so many results are there, however slow the machine."""
    while len(list(folder.glob("[!.]*"))) < count:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)


CTRL_C_IN_AN_IMPORT = """
import importlib.abc, runpy, signal, sys
name = sys.argv.pop(1)

class CtrlC(importlib.abc.MetaPathFinder):
    def find_spec(self, wanted, path, target=None):
        if wanted == name:
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, CtrlC())
runpy.run_module("colorbatch", run_name="__main__")
"""
"""The program, with Ctrl-C in the instant in which it begins to import a module."""
HEARD = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
"""As in a shell's foreground, whatever these tests are run by."""


@pytest.mark.parametrize(
    ("command", "module"),
    [
        (["--help"], "click"),
        (["images", "scans", "-o", "out"], "colorbatch.cli.images"),
        (["images", "scans", "-o", "out"], "numpy"),
        (["video", "film.mkv", "-o", "r.mkv"], "colorbatch.cli.video"),
        (["video", "film.mkv", "-o", "r.mkv"], "av"),
        (["verify"], "colorbatch.model.parity"),
        (["models"], "colorbatch.model.contract"),
        (["doctor"], "onnxruntime.capi.onnxruntime_pybind11_state"),
    ],
)
def test_ctrl_c_while_the_program_is_loaded(clean_env, tmp_path, command, module):
    """Exit 130 and one line, whatever is being imported."""
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "a.png").write_bytes(b"no picture")
    (tmp_path / "film.mkv").write_bytes(b"no film")
    run = subprocess.run(
        [sys.executable, "-c", HEARD + CTRL_C_IN_AN_IMPORT, module, *command],
        env=clean_env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (run.returncode, run.stderr) == (130, "interrupted\n")


THREADS_OF_LIBRARIES = """
import os
import colorbatch.cli
from colorbatch.__main__ import main

def told():
    import numpy, cv2
    print(len(os.listdir("/proc/self/task")))

colorbatch.cli.main = told
main()
"""
"""The program, which loads what commands load, and ends."""


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_no_threads_of_openblas_are_started(clean_env):
    """They would spin beside what is being loaded; who asks for some gets them."""

    def started(**asked: str) -> int:
        env = {name: value for name, value in clean_env.items() if "BLAS" not in name} | asked
        command = [sys.executable, "-c", THREADS_OF_LIBRARIES]
        return int(subprocess.run(command, env=env, capture_output=True, check=True).stdout)

    assert started() == 1
    assert started(OPENBLAS_NUM_THREADS="2") > 1 or os.cpu_count() == 1


def test_ctrl_c_that_is_ignored_stays_ignored(clean_env):
    """As in a shell's background."""
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    command = [sys.executable, "-c", ignore + CTRL_C_IN_AN_IMPORT, "click", "--version"]
    run = subprocess.run(command, env=clean_env, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0 and "colorbatch" in run.stdout, run.stderr


@posix_only
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_ctrl_c_ends_cleanly_and_the_next_run_goes_on(
    run_cli, clean_env, tiny_model, many, tmp_path, executor
):
    """SIGINT: exit 130, a true summary, nothing temporary left; the same command does the rest."""
    source, _ = many
    out = tmp_path / "out"
    command = ["images", source, "-o", out, "-m", tiny_model, "--json", "--workers", 2]
    command += ["--executor", executor]
    process = begin(clean_env, *command)
    wait_for_files(process, out, 3)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    summary = json.loads(stdout.splitlines()[-1])["summary"]
    written = files_below(out)
    assert summary["interrupted"] is True
    assert summary["exit_code"] == 130
    assert summary["colored"] == len(written) == len(stdout.splitlines()) - 1
    assert 3 <= len(written) < 40
    assert not any(Path(name).name.startswith(".") for name in written)
    assert stderr.splitlines()[-1].startswith("interrupted: ")
    assert f"{40 - len(written)} not begun" in stderr

    rest = run_cli(*command)
    assert rest.returncode == 0, rest.stderr
    summary = json.loads(rest.stdout.splitlines()[-1])["summary"]
    assert (summary["skipped"], summary["colored"]) == (len(written), 40 - len(written))
    assert files_below(out) == files_below(source)


@posix_only
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_killed_at_any_instant_the_same_command_ends_with_the_same_result(
    run_cli, clean_env, tiny_model, many, tmp_path, executor
):
    """kill -9 twice: whatever bears a final name is whole, and the rest is done afterwards."""
    source, pixels = many
    out = tmp_path / "out"
    command = ["images", source, "-o", out, "-m", tiny_model, "--workers", 2]
    command += ["--executor", executor]
    for count in (2, 12):
        process = begin(clean_env, *command)
        wait_for_files(process, out, count)
        process.kill()
        process.communicate(timeout=300)
        for path in out.glob("[!.]*"):
            assert_colored(path, pixels)
    rest = run_cli(*command)
    assert rest.returncode == 0, rest.stderr
    assert files_below(out) == files_below(source)
    whole = run_cli("images", source, "-o", tmp_path / "whole", "-m", tiny_model, "-q")
    assert whole.returncode == 0
    for name in files_below(source):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@posix_only
def test_a_reader_that_goes_away_is_no_traceback(clean_env, tiny_model, many, tmp_path):
    """`colorbatch images --json | head -1` ends without a traceback and without half files."""
    process = begin(
        clean_env, "images", many[0], "-o", tmp_path / "out", "-m", tiny_model, "--json"
    )
    process.stdout.readline()
    process.stdout.close()
    stderr = process.stderr.read()
    process.stderr.close()
    assert process.wait(300) == 1
    assert "Traceback" not in stderr and "Exception ignored" not in stderr
    assert [path.name for path in (tmp_path / "out").glob(".*")] == [".colorbatch"]


# --- what the process does besides -------------------------------------------------------------


def test_help_needs_none_of_the_heavy_libraries(clean_env):
    """--help and --version import neither numpy nor OpenCV, Pillow, numba or onnxruntime."""
    for arguments in (["--help"], ["images", "--help"], ["--version"], ["doctor", "-h"]):
        code = (
            "import sys\nfrom colorbatch.cli import main\n"
            f"sys.argv = ['colorbatch', *{arguments}]\n"
            "try:\n    main()\nexcept SystemExit:\n    pass\n"
            "heavy = {'numpy', 'cv2', 'onnxruntime', 'PIL', 'tifffile', 'tqdm', 'torch'}\n"
            "heavy |= {'numba', 'llvmlite'}\n"
            "sys.exit(' '.join(heavy & set(sys.modules)) or None)\n"
        )
        result = subprocess.run(
            [sys.executable, "-c", code], env=clean_env, capture_output=True, encoding="utf-8",
            check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        assert "colorbatch" in result.stdout


@pytest.fixture
def booby_trap(tmp_path):
    """A folder for PYTHONPATH whose torch raises when it is imported."""
    package = tmp_path / "trap" / "torch"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemError('torch was imported')\n")
    return package.parent


def test_torch_is_never_imported(run_cli, clean_env, tiny_model, folder, tmp_path, booby_trap):
    """Importing torch raises, and every command works all the same."""
    env = {"PYTHONPATH": os.pathsep.join([str(booby_trap), clean_env["PYTHONPATH"]])}
    check = subprocess.run(
        [sys.executable, "-c", "import torch"], env=clean_env | env, capture_output=True,
        check=False,
    )  # fmt: skip
    assert check.returncode != 0  # the trap works
    images = run_cli("images", folder[0], "-o", tmp_path / "o", "-m", tiny_model, env=env)
    assert images.returncode == 0, images.stderr
    models = run_cli("models", tiny_model, "--json", env=env)
    assert models.returncode == 0, models.stderr
    assert "SystemError" not in run_cli("doctor", env=env).stderr
    assert "SystemError" not in run_cli("verify", tiny_model, env=env).stderr


AUDIT = """
import os, sys

log = os.open(os.environ["AUDIT_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto"):
        os.write(log, f"network {event} {arguments[1:]}\\n".encode())
    elif event == "open":
        path, mode, flags = arguments
        if isinstance(path, (str, bytes)) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            os.write(log, b"write " + os.fsencode(path) + b"\\n")
    elif event in ("os.mkdir", "os.rename"):
        os.write(log, f"write {arguments[0]}\\n".encode())

sys.addaudithook(watch)
import atexit
atexit.register(
    lambda: os.write(log, f"telemetry {os.environ.get('ORT_DISABLE_TELEMETRY')}\\n".encode())
)
"""


def test_no_network_no_foreign_files_and_no_telemetry(
    run_cli, clean_env, tiny_model, folder, tmp_path
):
    """With a fresh HOME: Python connects nowhere, writes below the output only, telemetry off.

    A short run does not use the cache, the one other folder (`test_compiled` looks into that)."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(AUDIT)
    log = tmp_path / "audit.log"
    env = {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), clean_env["PYTHONPATH"]]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AUDIT_LOG": str(log),
    }
    assert "ORT_DISABLE_TELEMETRY" not in clean_env
    out = tmp_path / "out"
    result = run_cli("images", folder[0], "-o", out, "-m", tiny_model, env=env)
    assert result.returncode == 0, result.stderr
    lines = log.read_text().splitlines()
    assert lines[-1] == "telemetry 1"
    assert not [line for line in lines if line.startswith("network")]
    written = [line.removeprefix("write ") for line in lines if line.startswith("write")]
    assert len(written) >= 5  # the hook sees results being written
    foreign = [path for path in written if not path.startswith(str(out)) and path != os.devnull]
    assert foreign == []
    assert not list(Path(clean_env["HOME"]).iterdir())


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_system_sees_no_connection_and_no_foreign_file(clean_env, tiny_model, folder, tmp_path):
    """The same as the kernel sees it, native libraries included."""
    trace, out = tmp_path / "trace", tmp_path / "out"
    result = subprocess.run(
        ["strace", "-f", "-qq", "-o", trace,
         "-e", "trace=connect,bind,sendto,sendmsg,openat,open,creat,mkdir,mkdirat",
         sys.executable, "-m", "colorbatch", "images", folder[0], "-o", out, "-m", tiny_model],
        env=clean_env | {"PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, encoding="utf-8",
        check=False, cwd=tmp_path,
    )  # fmt: skip
    if result.returncode != 0 and "ptrace" in result.stderr.lower():
        pytest.skip("strace may not trace here")
    assert result.returncode == 0, result.stderr
    calls = [line.split(maxsplit=1)[1] for line in trace.read_text("utf-8", "replace").splitlines()]
    assert len(calls) > 100
    network = [
        call for call in calls
        if re.match(r"(connect|bind|sendto|sendmsg)\(", call) and "AF_INET" in call
    ]  # fmt: skip
    assert network == []
    writing = [
        call for call in calls
        if re.search(r"O_WRONLY|O_RDWR|O_CREAT|^mkdir|^creat", call) and " = -1 " not in call
    ]  # fmt: skip
    paths = [found[1] for call in writing if (found := re.search(r'"([^"]*)"', call))]
    assert sum(path.startswith(str(out)) for path in paths) >= 5
    # shared memory of thread pools and devices is no file of the user's
    foreign = [path for path in paths if not path.startswith((str(out), "/dev/", "/proc/"))]
    assert foreign == []
    assert not list(Path(clean_env["HOME"]).iterdir())


# --- options -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_option_has_its_variable(name):
    """--some-option is COLORBATCH_SOME_OPTION, for every command."""
    options = [one for one in cli.commands[name].params if one.param_type_name == "option"]
    for one in options:
        longest = max(one.opts, key=len)
        assert one.envvar == "COLORBATCH_" + longest[2:].replace("-", "_").upper()


def test_options_from_the_environment_work(run_cli, tiny_model, folder, tmp_path):
    """Values and flags; the command line wins."""
    env = {
        "COLORBATCH_OUTPUT": str(tmp_path / "out"),
        "COLORBATCH_MODEL": str(tiny_model),
        "COLORBATCH_FORMAT": "png",
        "COLORBATCH_SUFFIX": "-c",
        "COLORBATCH_SATURATION": "0",
        "COLORBATCH_DEVICE": "cpu",
        "COLORBATCH_BATCH_SIZE": "2",
        "COLORBATCH_WORKERS": "1",
        "COLORBATCH_JSON": "1",
        "COLORBATCH_QUIET": "true",
    }
    result = run_cli("images", folder[0], "--suffix", "-d", env=env)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert json.loads(result.stdout.splitlines()[-1])["summary"]["colored"] == 5
    with Image.open(tmp_path / "out/deep/er/d-d.png") as image:
        pixels = np.array(image)
    assert np.array_equal(pixels[..., 0], pixels[..., 2])  # saturation 0
    assert run_cli("images", folder[0], env={"COLORBATCH_WORKERS": "x"}).returncode == 2
    dry = run_cli("images", folder[0], "-m", tiny_model, env={"COLORBATCH_DRY_RUN": "1"})
    assert "5 to do" in dry.stderr


def test_verbose_names_every_picture_and_what_was_lost(run_cli, tiny_model, tmp_path):
    """-v says of each picture what became of it."""
    save(tmp_path / "src/a.png", grey())
    Image.fromarray(grey()).convert("P").save(tmp_path / "src/b.png")
    save(tmp_path / "src/c.jpg", grey(), format="PNG")
    result = run_cli("images", "src", "-o", "out", "-m", tiny_model, "-v")
    assert result.returncode == 0
    lines = [line for line in result.stderr.splitlines() if line.startswith("colored: ")]
    assert len(lines) == 3
    assert "palette" in lines[1]
    assert "PNG file named .jpg" in lines[2]
    with Image.open(tmp_path / "out/c.jpg") as image:
        assert image.format == "JPEG"


def test_batch_size_and_workers_change_no_pixel(run_cli, tiny_model, folder, tmp_path):
    """Speed settings do not show in results."""
    outputs = []
    for name, options in {
        "one": ["--batch-size", 1, "--workers", 1],
        "many": ["--batch-size", 64, "--workers", 5],
    }.items():
        run_cli("images", folder[0], "-o", tmp_path / name, "-m", tiny_model, *options)
        outputs.append({n: luma_of(tmp_path / name / n).tobytes()
                        for n in files_below(tmp_path / name)})  # fmt: skip
    assert len(outputs[0]) == 5
    assert outputs[0] == outputs[1]


# --- the other commands ------------------------------------------------------------------------


def test_models_shows_the_card(run_cli, tiny_model):
    """Name, size and weights of a model, for people and as JSON."""
    text = run_cli("models", tiny_model)
    assert text.returncode == 0, text.stderr
    assert text.stdout.startswith(f"tiny: {tiny_model}")
    assert "size: 32 x 32" in text.stdout
    values = json.loads(run_cli("models", tiny_model, "--json").stdout)
    assert values["card"]["name"] == "tiny"
    assert values["contract"]["size"] == {"fixed": [32, 32]}


def test_embedded_models_are_named_and_the_default_is_told(run_cli):
    """In `models` and `doctor`, the default first; `verify` without a name checks all of them."""
    stems = [path.stem for path in embedded_models()]
    assert stems[0] == DEFAULT_MODEL and "unet32" in stems
    assert find_model(None) == embedded_models()[0]
    heads = [line for line in run_cli("models").stdout.splitlines() if not line.startswith(" ")]
    assert [re.split("[,:]", line)[0] for line in heads] == stems
    assert [line for line in heads if ", the default: " in line] == heads[:1]
    said = ", ".join([f"{DEFAULT_MODEL} (the default)", *stems[1:]])
    doctor = run_cli("doctor", "--device", "cpu").stdout
    assert f"embedded models: {said}\n" in doctor
    assert f"in use: model {DEFAULT_MODEL} on cpu" in doctor
    verified = run_cli("verify", "--device", "cpu").stdout.splitlines()
    assert [line.split(" ")[0] for line in verified] == [f"{stem}.onnx" for stem in stems]
    assert all("as PyTorch" in line for line in verified)


def test_doctor_names_versions_and_providers(run_cli):
    """doctor says what is installed, even where there is no model to time."""
    result = run_cli("doctor")
    assert re.search(r"numpy \d", result.stdout)
    assert re.search(r"onnxruntime\S* \d", result.stdout)
    assert "CPUExecutionProvider" in result.stdout
    assert re.search(r"^join: (compiled by llvmlite \d|numpy's)", result.stdout, re.MULTILINE)
    assert "Traceback" not in result.stderr


def test_verify_without_a_record_says_so(run_cli, tiny_model):
    """A model without its parity record cannot be verified."""
    result = run_cli("verify", tiny_model)
    assert result.returncode == 1
    assert "no parity record tiny.parity.json" in result.stderr


def test_no_command_shows_help(run_cli):
    """The bare name is a usage error that shows the commands."""
    result = run_cli()
    assert result.returncode == 2
    for name in cli.commands:
        assert name in result.stderr


def test_saturation_reaches_the_pixels(run_cli, tiny_model, tmp_path):
    """--saturation 0.5 gives about half of the color of 1."""
    save(tmp_path / "a.png", np.full((64, 64), 128, np.uint8))
    spreads = []
    for value in (1, 0.5):
        target = tmp_path / f"{value}.png"
        run_cli("images", "a.png", "-o", target, "-m", tiny_model, "--saturation", value)
        with Image.open(io.BytesIO(target.read_bytes())) as image:
            spreads.append(np.ptp(np.array(image).astype(int), axis=2).mean())
    assert spreads[1] == pytest.approx(spreads[0] / 2, rel=0.2)  # ab to RGB is not linear


# --- what a hostile tester found ---------------------------------------------------------------


@posix_only
def test_a_named_pipe_is_a_failure_and_no_hang(run_cli, tiny_model, folder, tmp_path):
    """A pipe with a picture's name ends as one line, and all others are done."""
    source, pictures = folder
    os.mkfifo(source / "pipe.jpg")
    result = run_cli("images", source, "-o", tmp_path / "out", "-m", tiny_model)
    assert result.returncode == 3
    assert "pipe.jpg: cannot read: not a regular file" in result.stderr
    assert files_below(tmp_path / "out") == sorted(pictures)


def test_a_name_too_long_for_its_result_fails_alone(run_cli, tiny_model, tmp_path):
    """A name that leaves no room for the suffix is one failure; its neighbour is done."""
    long, short = tmp_path / ("x" * 248 + ".png"), tmp_path / "a.png"
    save(long, grey(1))
    save(short, grey(2))
    result = run_cli("images", long, short, "-m", tiny_model)
    assert result.returncode == 3
    assert "Traceback" not in result.stderr
    assert (tmp_path / "a_colorized.png").exists()


def test_bad_values_are_refused_before_work(run_cli, tiny_model, folder, tmp_path):
    """Numbers, devices, suffixes and targets that make no sense are exit 2, and nothing is made."""
    source, _ = folder
    one = next(source.glob("*.png"))
    for words in (
        [source, "-o", tmp_path / "out", "--saturation", "nan"],
        [source, "-o", tmp_path / "out", "--device", "cuda:\u00b2"],
        [source, "-o", tmp_path / "out", "--device", "cuda:"],
        [source, "-o", tmp_path / "out", "--suffix", "../x"],
        [one, "-o", tmp_path / "out.jxl"],
        [source, "-o", tmp_path / "out.jpg"],
        [one, "-o", tmp_path / "out.jpg", "--format", "png"],
    ):
        result = run_cli("images", *words, "-m", tiny_model)
        assert result.returncode == 2, words
        assert len(result.stderr.splitlines()) == 1
        assert not list(tmp_path.glob("out*"))


def test_the_command_line_beats_the_environment(run_cli, tiny_model, folder, tmp_path, clean_env):
    """--device cpu is not contradicted by COLORBATCH_GPU_ID."""
    source, pictures = folder
    env = clean_env | {"COLORBATCH_GPU_ID": "0"}
    words = ["images", source, "-o", tmp_path / "out", "-m", tiny_model]
    assert run_cli(*words, env=env).returncode == 4  # there is no such card here
    assert run_cli(*words, "--device", "cpu", env=env).returncode == 0
    assert files_below(tmp_path / "out") == sorted(pictures)


def test_a_link_and_its_file_are_both_made(run_cli, tiny_model, tmp_path):
    """Two names of one file in a tree are two results."""
    save(tmp_path / "in" / "sub" / "real.png", grey(5))
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "in" / "sub" / "real.png")
    result = run_cli("images", tmp_path / "in", "-o", tmp_path / "out", "-m", tiny_model)
    assert result.returncode == 0
    assert files_below(tmp_path / "out") == ["link.png", "sub/real.png"]


@pytest.mark.parametrize("size", ["lots", "0", "4", "100M", "-1G"])
def test_a_memory_that_is_no_size_is_refused(run_cli, folder, tmp_path, size):
    """Before any work, in one line."""
    result = run_cli("images", folder[0], "-o", tmp_path / "out", "--memory", size)
    assert result.returncode == 2
    [line] = [line for line in result.stderr.splitlines() if "--memory" in line]
    assert size in line
    assert not (tmp_path / "out").exists()


def test_a_little_memory_is_enough_for_small_pictures(run_cli, tiny_model, folder, tmp_path):
    """From the environment as well; a picture that does not fit is done, and the report says so."""
    source, pictures = folder
    ramp = np.linspace(0, 65535, 4_000 * 4_000).astype(np.uint16).reshape(4_000, 4_000)
    tifffile.imwrite(source / "large.tif", np.dstack([ramp] * 3), photometric="rgb")
    result = run_cli(
        *("images", source, "-o", tmp_path / "out", "-m", tiny_model, "--json"),
        env={"COLORBATCH_MEMORY": "700M"},
    )
    assert result.returncode == 0, result.stderr
    told = [json.loads(line) for line in result.stdout.splitlines()][:-1]
    alone = [Path(one["source"]).name for one in told if "done alone" in " ".join(one["notes"])]
    assert alone == ["large.tif"] and len(told) == len(pictures) + 1
    for name, pixels in pictures.items():
        assert_colored(tmp_path / "out" / name, pixels)
