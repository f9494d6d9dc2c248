"""Benchmarks run and tell what they promise. Times are not judged: machines differ."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"


def run_inference(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return run_benchmark("inference.py", *words)


def run_benchmark(name: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, BENCHMARKS / name, *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_inference_tells_time_and_memory(make_model: Callable[..., Path], tmp_path: Path) -> None:
    """Figures of each model at each batch size; the buffer that a model fills for each picture at
    work, 128 MiB, is in its peak: one for each core."""
    hungry = make_model(tmp_path / "hungry.onnx", body="hungry")
    small = make_model(tmp_path / "small.onnx")
    words = [f"first={hungry}", small, "--rounds", "3", "--batch-sizes", "1,3", "--json"]
    words += ["--threads", "1"]
    ended = run_inference(*words)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["beside"] == "small"
    figures = {(one["model"], one["batch_size"]): one for one in told["figures"]}
    assert set(figures) == {(name, size) for name in ("first", "small") for size in (1, 3)}
    for (name, _), one in figures.items():
        assert len(one["rounds"]) == 3
        assert min(one["rounds"]) <= one["milliseconds"] <= max(one["rounds"])
        assert one["ratio"] == 1 if name == "small" else one["ratio"] > 1
    if sys.platform != "win32":
        more = figures["first", 3]["memory"] - figures["small", 3]["memory"]
        buffer = 128 * 2**20 / 1e6
        assert buffer <= more < 1.1 * buffer  # the runtime takes 4 % more beside it


def test_inference_compares_with_the_model_that_is_named(tiny_model: Path) -> None:
    """--beside NAME heads the table's ratios; a name that no model has is refused."""
    words = [f"one={tiny_model}", f"two={tiny_model}", "--rounds", "1", "--batch-sizes", "2"]
    ended = run_inference(*words, "--beside", "one")
    assert ended.returncode == 0, ended.stderr
    heading, _, *lines = ended.stdout.splitlines()
    assert "of one's" in heading
    assert [line.split()[:2] for line in lines] == [["one", "2"], ["two", "2"]]
    assert lines[0].split()[3] == "1.00"
    refused = run_inference(*words, "--beside", "three")
    assert refused.returncode == 2 and "no model of that name" in refused.stderr


def test_the_ratio_is_that_of_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds that the machine slowed for both say nothing of the models: 1, 2 and 0.5 have the
    median 1, while the medians of the times are 3 and 5."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    inference = importlib.import_module("inference")
    assert inference.median_ratio([1, 10, 3], [1, 5, 6]) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="nothing tells it there")
def test_memory_is_told_in_megabytes() -> None:
    """A process that holds 300 * 10**6 bytes more than another has a peak that is 300 MB higher;
    1 % for pages that come and go."""
    code = "from clocks import run_python as run\n"
    code += "peaks = [run(['-c', f'held = bytes([1]) * {n}']).memory for n in (10**8, 4 * 10**8)]\n"
    code += "print(peaks[1] - peaks[0])"
    # measured from a small process: a child's peak is never less than its parent's
    told = subprocess.check_output([sys.executable, "-c", code], cwd=BENCHMARKS, text=True)
    assert float(told) == pytest.approx(300, rel=0.01)


def test_join_tells_of_both_joins() -> None:
    """A row for each kind: times of both, and memory of both."""
    pytest.importorskip("llvmlite")
    command = [sys.executable, BENCHMARKS / "join.py", "--megapixels", "0.1", "--rounds", "2"]
    ended = subprocess.run(
        [*command, "--kinds", "jpeg8,film422p10"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    rows = [line.split("|")[1:-1] for line in ended.stdout.splitlines() if line[0] == "|"][2:]
    assert [row[0].strip() for row in rows] == ["Y'CbCr for JPEG, 8 bits", "film 4:2:2, 10 bits"]
    for _, numpys, memory, compiled, other in rows:
        assert float(numpys.split()[0]) > 0 < float(compiled.split()[0])
        assert float(memory) >= 0 <= float(other)


def test_speeds_tables_are_of_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ratios are medians of the rounds', the limit's without the pass over the shots; the machine
    is said."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    speed, film = importlib.import_module("speed"), importlib.import_module("film")
    cpu = {"ours, warm": (10, 9, 12), "shots": (2, 1, 2), "transcode": (3, 3, 3)}
    cpu["inference"] = (3, 5, 1)
    runs = {way: [film.Run(2, 2, 1, one, 99.6) for one in of] for way, of in cpu.items()}
    assert film.of_limit(runs) == [6 / 8, 8 / 8, 4 / 10]
    row = speed.row("a", "1 a second", 99.6, [1, 3, 2], film.of_limit(runs), 1.111)
    assert row == "| a | 1 a second | 100 MB | 2.00 | 1.11 | 0.75 |"
    assert speed.head("pictures").count("|") == 2 * row.count("|")
    assert re.match(r"\d+ cores of .+, Python 3.+onnxruntime \d.+model `", speed.machine())


def written_photographs(photograph: Callable[[str], Any], tmp_path: Path) -> Path:
    """A folder with some."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name in ("coffee", "astronaut", "chelsea"):
        data = cv2.imencode(".png", photograph(name)[..., ::-1])[1].tobytes()
        (folder / f"{name}.png").write_bytes(data)
    return folder


def test_flicker_tells_raw_steady_and_truth(
    tiny_model: Path, photograph: Callable[[str], Any], tmp_path: Path
) -> None:
    """Of a made clip of each kind, with a strip; the truth has no error, and where lightness has
    grain and flickers, color is steadier than it was. Predictions that were kept tell the same."""
    photographs = written_photographs(photograph, tmp_path)
    words: list[str | Path] = ["--photographs", photographs, "--count", "1"]
    words += ["--model", tiny_model, "--kept", tmp_path / "kept", "--strips", tmp_path, "--json"]
    told = []
    for _ in range(2):
        ended = run_benchmark("flicker.py", *words)
        assert ended.returncode == 0, ended.stderr
        told.append(json.loads(ended.stdout))
    clips = told[0]["clips"]
    assert clips == told[1]["clips"]
    assert len(clips) == 8 == len(list(tmp_path.glob("*.png")))
    for name, rows in clips.items():
        assert rows["truth"]["error"] == 0 < rows["raw"]["error"]
        if name.startswith("old"):
            for figure in ("warp", "waves", "step"):
                assert rows["steady"][figure] < rows["raw"][figure], (name, figure)
    strip = cv2.imdecode(np.frombuffer((tmp_path / "pan-1.png").read_bytes(), np.uint8), 1)
    assert strip is not None and strip.shape == (4 * 32, 8 * 32, 3)


def test_still_reach_tells_what_arrives_straight_and_over_frames(
    tiny_model: Path, photograph: Callable[[str], Any], tmp_path: Path
) -> None:
    """Of a made clip of each kind, with a strip; near the still most of it arrives."""
    photographs = written_photographs(photograph, tmp_path)
    for number in range(8):
        turned = np.rot90(photograph("coffee"), number)[:, :: 1 if number < 4 else -1]
        cv2.imwrite(str(photographs / f"{number}.png"), turned[..., ::-1])
    ended = run_benchmark(
        *("still_reach.py", "--photographs", photographs, "--model", tiny_model),
        *("--strips", tmp_path),
    )
    assert ended.returncode == 0, ended.stderr
    [[head, *rows]] = tables_of(ended.stdout).values()
    assert [cell.strip() for cell in head[2:]] == ["10", "25", "50", "100", "200", "ms"]
    assert [row[1].strip() for row in rows] == ["straight", "over"] * 5
    for row in rows:
        arrived, beside = map(float, row[2].split("/"))
        assert 0.2 < arrived < 1.1 and beside < arrived, row
    strip = cv2.imdecode(np.fromfile(tmp_path / "pan-walk.png", np.uint8), 1)
    assert strip is not None and strip.shape == (3 * 32, 8 * 32, 3)


def test_divergence_is_that_of_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Black and white have nothing in common, which is one bit; over a cut nothing is compared."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    flicker = importlib.import_module("flicker")
    black, white = (np.full((8, 8, 3), value, np.uint8) for value in (0, 255))
    pictures = [black, white, white, white, white, black]
    assert flicker.divergences(pictures[:5], np.ones(5, int)) == (1 / 4, 1 / 3, 1.0)
    assert flicker.divergences(pictures, np.array([0, 1, 1, 1, 1, 1]))[0] == 1 / 4


def tables_of(text: str) -> dict[str, list[list[str]]]:
    """Title -> rows with their headings, of tables in Markdown."""
    tables: dict[str, list[list[str]]] = {}
    title = ""
    for line in text.splitlines():
        if line.startswith("|---"):
            continue
        if line.startswith("| "):
            cells = line.removeprefix("| ").removesuffix(" |").split(" | ")
            tables.setdefault(title, []).append(cells)
        elif line:
            title = line
    return tables


def test_scaling_tells_where_time_goes(
    tiny_model: Path,
    photograph: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rates of each case; of worker processes and of a film all stages; each fsync and rename, as
    often as they are, and as slow as the disk that is imitated."""
    av = pytest.importorskip("av")
    monkeypatch.setenv("COLORBATCH_MODEL", str(tiny_model))
    folder, clip = written_photographs(photograph, tmp_path), tmp_path / "clip.avi"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "gray"
        coarse = np.random.default_rng(0).integers(0, 255, (18, 32), np.uint8)
        for moved in range(8):  # a picture: plain grounds are titles, which get no color
            picture = np.kron(np.roll(coarse, moved, axis=1), np.ones((10, 10), np.uint8))
            frame = av.VideoFrame.from_ndarray(picture, "gray")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    words: list[str | Path] = [folder, "--count", "2", "--workers", "1", "--rounds", "1"]
    film = ["--clip", clip, "--film", "320x180", "--frames", "8", "--executors", "processes"]
    ended = run_benchmark("scaling.py", *words, *film, "--delays", "0,30", "--cores", "1")
    assert ended.returncode == 0, ended.stderr
    tables = tables_of(ended.stdout)
    cases = [f"{kind}, {delay} ms" for kind in ("processes", "film") for delay in (0, 30)]
    headings, rates = tables["Pictures or frames a second over workers (median of 1)"]
    assert headings == ["workers", *cases] and all(float(rate) > 0 for rate in rates)
    for case in cases:
        rows = {name: rest for name, *rest in tables[f"{case}, 1 workers: stages"][1:]}
        expected = {"read: decode", "read: judge, view", "predict", "join", "encode, metadata"}
        assert {*expected, "hash", "flush"} < set(rows)
        assert all(float(rows[name][0]) > 0 < float(rows[name][2]) for name in expected)
        assert len(tables[f"{case}, 1 workers: locks and waits"]) > 1
        calls = {
            name: (float(times), float(each))
            for name, times, each in tables[f"{case}, 1 workers: fsyncs and renames"][1:]
        }
        delay = 30 if case.endswith("30 ms") else 0
        assert all(each >= times * delay - 0.2 for times, each in calls.values())
        if case.startswith("processes"):
            assert calls["fsync, fs.atomic._to_disk"][0] == 1
            assert calls["replace, fs.atomic._replace"][0] == 1
    ended = run_benchmark("scaling.py", *words, "--delays", "0", "--cores", "", "--command")
    assert ended.returncode == 0, ended.stderr
    [_, rates] = tables_of(ended.stdout)["Pictures or frames a second over workers (median of 1)"]
    assert len(rates) == 3 and all(float(rate) > 0 for rate in rates)
