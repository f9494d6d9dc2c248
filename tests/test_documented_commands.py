"""Every command that README and docs/training.md, photographs.md, film.md and film-sequences.md
show runs as written; training at tiny size."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import safetensors.torch
import skimage.data
import tifffile
import torch
from PIL import Image

from export.cli import main as exporter_main
from tests.colorbatch.conftest import DpxFile
from training.backbones import ResNet18, VGG19Features
from training.cli import cli as trainer
from training.cli import main as trainer_main

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
TINY = {
    "size": 64,
    "width": 8,
    "batch_size": 2,
    "steps": 2,
    "discriminator_width": 8,
    "precision": "fp32",
}
"""Settings that a test can afford, added behind those that the page gives."""
MODELS = ROOT / "colorbatch" / "model" / "embedded"
WEIGHTS = "training/weights/embedded.safetensors"
"""What the default model is fine-tuned from."""
JOINED = "python -m training evaluate runs/lite runs/bold runs/joined --data others"
PROGRAMS = {"python": [sys.executable], "colorbatch": [sys.executable, "-m", "colorbatch"]}
HERE = {"training": trainer_main, "export": exporter_main}
"""What `python -m` of these calls, for a page of so many commands that PyTorch's start would be
most of what they cost."""


def commands(page: Path, heading: str = "") -> Iterator[list[str]]:
    """The words of each command in a page's `sh` blocks behind a heading, but for those of pip and
    of the shell's own settings."""
    text = page.read_text("utf-8")
    text = text[text.index(heading) :]
    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] not in ("pip", "export"):
                yield words


def tiny(words: list[str]) -> list[str]:
    """The command in this interpreter, as small as it can be made without changing what it does."""
    words = [*PROGRAMS[words[0]], *words[1:]]
    if "train" in words:
        values: dict[str, object] = dict(TINY)
        given = _given(words)
        if given is not None:
            del values["width"]  # the weights have one
        if "embedded" in words:
            values["batch_size"] = 4  # one of them a second view
        if given == WEIGHTS:
            del values["discriminator_width"]  # and so have those of its discriminators
        if given is not None and given.endswith(".onnx"):
            values["size"] = 128  # unet32 halves 7 or 8 times
        elif not any("resnet" in word for word in words[:5]):
            values["levels"] = 6
        words += [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    elif "plot" in words:
        words += ["--count", "2", "--side", "64"]
    elif "human-test" in words and "--score" not in words:
        words += ["--pictures", "4", "--size", "96"]
    return words


def _given(words: list[str]) -> str | None:
    """The file of weights that a command begins with, if those have a width of their own."""
    for word in words:
        if word.endswith((".onnx", "resnet18.pth")) or word == WEIGHTS:
            return word
    return None


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with everything that the pages take for granted: photographs, old pictures, weight
    files in torchvision's form, the embedded models, two people's answers."""
    rng = np.random.default_rng(0)
    sources = [skimage.data.coffee(), skimage.data.chelsea(), skimage.data.astronaut()]
    for folder, count in (("photographs", 12), ("few", 10), ("others", 5), ("scans", 2)):
        (tmp_path / folder).mkdir()
        for i in range(count):
            top, left = rng.integers(0, 100, 2)
            picture = sources[i % 3][top : top + 160, left : left + 200]
            image = Image.fromarray(picture).convert("L" if folder == "scans" else "RGB")
            image.save(tmp_path / folder / f"photo-{i:02d}.jpg")
    linear = {"fc.weight": torch.zeros(10, 512), "fc.bias": torch.zeros(10)}
    torch.save(ResNet18().state_dict() | linear, tmp_path / "resnet18.pth")
    torch.save(VGG19Features(5, 4).state_dict(), tmp_path / "vgg19.pth")
    (tmp_path / "colorbatch" / "model" / "embedded").mkdir(parents=True)
    for name in ("lite-unet", "unet32"):
        real = MODELS / f"{name}.onnx"  # any model will do to be measured, until it is trained
        link = tmp_path / "colorbatch" / "model" / "embedded" / real.name
        link.symlink_to(real if real.exists() else MODELS / "unet32.onnx")
    if (ROOT / WEIGHTS).exists():
        (tmp_path / WEIGHTS).parent.mkdir(parents=True)
        (tmp_path / WEIGHTS).symlink_to(ROOT / WEIGHTS)
    for person in ("anna", "ben"):
        (tmp_path / f"{person}.json").write_text(json.dumps(answers(person)), "utf-8")
    return tmp_path


def answers(person: str) -> dict[str, object]:
    """What a person saved from a page of four pictures."""
    rows = [
        {"picture": str(i), "colored": i % 2 == 0, "answer": answer, "ms": 900.0}
        for i, answer in enumerate(("real", "real", "machine", "machine"))
    ]
    model = {"name": "mine", "sha256": "0" * 64}
    head = {"format": "colorbatch human test answers", "version": 1, "id": person, "page": "p"}
    return {**head, "model": model, "person": person, "answers": rows}


def run(words: list[str], place: Path) -> str:
    """Run one command of a page; returns what it printed."""
    paths = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    # a package `colorbatch` in the working folder would hide the real one
    result = subprocess.run(
        [words[0], "-P", *words[1:]],
        cwd=place,
        env=os.environ | paths,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, f"{shlex.join(words)}\n{result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture
def run_here(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[[list[str]], str]]:
    """Run one command of a page, in this process if it is one of `python -m training` or `export`;
    returns what it printed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.chdir(place)

    def start(words: list[str]) -> str:
        if words[1] != "-m" or words[2] not in HERE:
            return run(words, place)
        monkeypatch.setattr("sys.argv", words[2:])
        capfd.readouterr()
        try:
            HERE[words[2]]()
        except SystemExit as end:
            told = capfd.readouterr()
            assert not end.code, f"{shlex.join(words)}\n{told.out}{told.err}"
        return capfd.readouterr().out

    yield start
    torch.set_num_threads(threads)


def test_training_page(place: Path, run_here: Callable[[list[str]], str]) -> None:
    """docs/training.md from top to bottom; what it promises is there afterwards."""
    written = [" ".join(words) for words in commands(ROOT / "docs" / "training.md")]
    # the page shows every command of the trainer
    for command in trainer.commands:
        assert any(f"-m training {command} " in text for text in written), command
    assert any(WEIGHTS in text for text in written)
    if not (place / WEIGHTS).exists():
        written = [text for text in written if WEIGHTS not in text]
    output = {text: run_here(tiny(shlex.split(text))) for text in written}
    page = (ROOT / "docs" / "training.md").read_text("utf-8")
    for name in ("run.json", "checkpoint.pt", "log.jsonl", "losses.png", "validation.jsonl"):
        assert name in page and (place / "runs" / "mine" / name).exists()
    for name in ("mine-losses", "mine-epochs", "compare", "triptychs", "old"):
        with Image.open(place / "plots" / f"{name}.png") as image:
            assert min(image.size) > 60
    measured = json.loads((place / "evaluation" / "evaluation.json").read_text("utf-8"))
    assert {"mine", "small", "embedded", "grey", "constant"} <= measured["rows"].keys()
    assert "fooling rate" in next(text for key, text in output.items() if "--score" in key)
    assert (place / "human.html").stat().st_size > 5000
    assert (place / "mine.onnx").exists() and (place / "mine.parity.json").exists()
    colored = sorted((place / "colored").glob("[!.]*"))
    assert [path.name for path in colored] == ["photo-00.jpg", "photo-01.jpg"]
    history = torch.load(place / "runs/tuned/checkpoint.pt", weights_only=True)["history"]
    assert len(history) > 2  # the model's own, and this run
    held = safetensors.torch.load_file(place / "lite.safetensors")
    assert {name.split(".")[0] for name in held} >= {"encoder", "discriminator", "projected"}
    losses = json.loads((place / "runs/lite/log.jsonl").read_text("utf-8").splitlines()[-1])
    assert {"loss_P", "loss_G_projected", "loss_G_features", "loss_G_consistency"} <= losses.keys()
    for name in ("lite", "bold", "joined"):
        assert any(line.split()[:1] == [name] for line in output[JOINED].splitlines())


def test_readme_training_section(place: Path) -> None:
    """README's short way from photographs to colored scans."""
    found = list(commands(ROOT / "README.md", "## Train and export your own"))
    assert len(found) >= 3
    for words in found:
        run(tiny(words), place)
    assert (place / "colored" / "photo-00.jpg").exists()


@pytest.fixture
def run_there(
    run_python: Callable[..., subprocess.CompletedProcess[str]],
) -> Callable[[list[str]], str]:
    """Run one command of a page of colorbatch in the test's folder, in a process that has its
    imports done; returns what it printed."""

    def start(words: list[str]) -> str:
        _, *more = [*PROGRAMS[words[0]], *words[1:]]
        result = run_python(*more)
        assert result.returncode == 0, f"{shlex.join(words)}\n{result.stdout}{result.stderr}"
        return result.stdout

    return start


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A folder with what docs/photographs.md takes for granted: scans of each kind, and a list."""
    scans = tmp_path / "scans"
    for name in ("box 1/deep", "box 1/thumbs", "box 2"):
        (scans / name).mkdir(parents=True)
    photographs = [skimage.data.coffee(), skimage.data.chelsea(), skimage.data.astronaut()]
    rgb = [photograph[:240, :300] for photograph in photographs]
    grey = [np.array(Image.fromarray(picture).convert("L")) for picture in rgb]
    Image.fromarray(grey[0]).save(scans / "box 1" / "coffee.jpg", quality=90)
    Image.fromarray(grey[1]).save(scans / "box 1" / "cat_old.jpg")
    Image.fromarray(grey[1][::8, ::8]).save(scans / "box 1" / "thumbs" / "cat.jpg")
    sixteen = grey[1].astype(np.uint16) * 257
    tifffile.imwrite(scans / "box 1" / "deep" / "pages.tif", np.stack([sixteen, sixteen[::-1]]))
    Image.fromarray(grey[2]).save(scans / "box 2" / "print.png")
    sepia = grey[2][..., None] * np.array([1.0, 0.87, 0.7])
    Image.fromarray(sepia.astype(np.uint8)).save(scans / "box 2" / "sepia.png")
    Image.fromarray(rgb[0]).save(scans / "box 2" / "color.jpg")
    rows = ["Number,Scan", "1,box 2/print.png", "2,box 1/deep/pages.tif"]
    (tmp_path / "catalogue.csv").write_text("\n".join(rows), "utf-8")
    return tmp_path


def test_photographs_page(archive: Path, run_there: Callable[[list[str]], str]) -> None:
    """docs/photographs.md from top to bottom: the archive is done, once, and as the page says."""
    page = ROOT / "docs" / "photographs.md"
    output = {}
    for words in commands(page):
        command, target = (words[: words.index(">")], words[-1]) if ">" in words else (words, "")
        output[" ".join(command)] = said = run_there(command)
        if target:
            (archive / target).write_text(said, "utf-8")
    for option in ("dry-run", "sample", "log", "json", "shard", "include", "files-from", " -y"):
        assert any(option in command for command in output), option
    sources = {path.relative_to(archive / "scans") for path in files_below(archive / "scans")}
    for made in ("colored", "shared"):
        results = {path.relative_to(archive / made) for path in files_below(archive / made)}
        assert results - {Path("run.log")} == sources
    told = [json.loads(line) for line in (archive / "outcomes.jsonl").read_text().splitlines()]
    assert told[-1]["summary"]["skipped_because"] == {"finished": len(sources)}
    lines = (archive / "colored" / ".colorbatch" / "journal.jsonl").read_text().splitlines()
    named = [json.loads(line)["target"] for line in lines if '"named"' in line]
    # each once, and again with another saturation; but what is kept in color has none
    again = sources - {Path("box 2/color.jpg")}
    assert Counter(named) == Counter(path.as_posix() for path in (*sources, *again))
    assert "colored" in (archive / "colored.log").read_text("utf-8")
    [check] = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.S)
    assert run_there(["python", "-c", check]).split() == ["(0,", "0)"]


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A folder with what docs/film.md takes for granted: scan.mov and two reels, of a photograph
    that moves, 10 bits, with sound and time code; 12 frames at 8 a second."""
    (tmp_path / "reels" / "deep").mkdir(parents=True)
    grey = np.array(Image.fromarray(skimage.data.coffee()).convert("L")).astype(np.uint16)
    for name in ("scan.mov", "reels/one.mov", "reels/deep/two.mov"):
        with av.open(str(tmp_path / name), "w") as container:
            video = container.add_stream("prores_ks", rate=8, options={"profile": "hq"})
            video.width, video.height, video.pix_fmt = 96, 64, "yuv422p10le"
            video.metadata["timecode"] = "01:00:00:00"
            sound = container.add_stream("pcm_s16le", rate=48000)
            for number in range(12):
                frame = av.VideoFrame(96, 64, "yuv422p10le")
                for plane, wide in zip(frame.planes, (96, 48, 48), strict=True):
                    lines = np.frombuffer(plane, np.uint16).reshape(64, -1)
                    part = grey[100 : 100 + 64, 100 + 3 * number : 196 + 3 * number] * 3 + 64
                    lines[:, :wide] = part if wide == 96 else 512
                frame.pts = number
                container.mux(video.encode(frame))
            silence = np.zeros((1, 2 * 72000), np.int16)
            wave = av.AudioFrame.from_ndarray(silence, "s16", "stereo")
            wave.rate = 48000
            container.mux(sound.encode(wave))
            container.mux([*video.encode(None), *sound.encode(None)])
    return tmp_path


def test_film_page(scan: Path, run_there: Callable[[list[str]], str]) -> None:
    """docs/film.md from top to bottom: what it promises is there afterwards."""
    page = ROOT / "docs" / "film.md"
    for name in ("reel-1.mov", "reel-2.mov"):
        shutil.copy(scan / "scan.mov", scan / name)
    (scan / "reel-1.csv").write_text("start,end,saturation\n0,11,1.2\n")
    with av.open(str(scan / "scan.mov")) as container:
        still = next(container.decode(video=0)).to_ndarray(format="gray")
    (scan / "corrected").mkdir()
    Image.fromarray(still[..., None] // np.uint8([[[1, 2, 2]]])).save(scan / "corrected/0000.png")
    output = []
    for words in commands(page):
        if words[0] == "ffmpeg" and not shutil.which("ffmpeg"):
            continue
        if words[0] == "ffmpeg":
            subprocess.run([*words[:1], "-y", *words[1:]], cwd=scan, check=True)
        else:
            output.append(run_there(words))
    assert "prores yuv422p10le -> prores_ks yuv422p10le in mov" in output[0]
    shown = {"before.png", "after.png", "preview.shots.csv"}
    stills = {path.name.rpartition("-")[2] for path in scan.glob("stills/inside.mov-*")}
    assert stills == shown and len(output[1].splitlines()) == 11
    assert {path.name.rpartition("-")[2] for path in scan.glob("colored.mov-*")} == shown
    [told] = [list(map(json.loads, text.splitlines())) for text in output if text.startswith("{")]
    assert [each["frames"] for each in told[:-1]] == [12, 12]
    assert told[-1]["summary"]["colored"] == 2
    made = {path.relative_to(scan / "colored-reels") for path in files_below(scan)
            if path.is_relative_to(scan / "colored-reels")}  # fmt: skip
    films = {Path("one.mov"), Path("deep/two.mov")}
    assert made == films | {path.with_name(f"{path.name}.shots.csv") for path in films}
    assert {"reel-1.mov", "reel-2.mov"} <= {path.name for path in (scan / "color").iterdir()}
    assert '"saturation": 0.9' in (scan / "project.json").read_text("utf-8")
    lists = [scan / "proof.mkv.source.framemd5", scan / "proof.mkv.framemd5"]
    lists += [path for path in (scan / "source.txt", scan / "proof.txt") if path.exists()]
    sums = []
    for path in lists:
        lines = path.read_text("ascii").splitlines()
        sums.append([line.split(",")[-1] for line in lines if line[0] != "#"])
    assert len(sums[0]) == 12 and all(each == sums[0] for each in sums)
    with av.open(str(scan / "part.mov")) as container:
        assert len(list(container.decode(video=0))) == 6
        code = container.streams.video[0].metadata["timecode"]
        assert [int(part) for part in code.split(":")] == [1, 0, 0, 2]  # one digit at 8 a second
    with av.open(str(scan / "colored.mov")) as container:
        assert [stream.type for stream in container.streams][:2] == ["video", "audio"]


@pytest.fixture
def reels(scan: Path) -> Path:
    """A folder with what docs/film-sequences.md takes for granted: `reel1` of DPX, and `reels` with
    a film, a sequence of TIFF and one of DPX."""
    grey = np.array(Image.fromarray(skimage.data.coffee()).convert("L")).astype(np.uint16)
    for name in ("reel1", "reels/tiff", "reels/deep/dpx"):
        (scan / name).mkdir(parents=True)
    for index in range(16):
        part = grey[100:164, 100 + 3 * index : 196 + 3 * index]
        rate = (1724, struct.pack(">f", 8.0))
        codes = (part * 2 + 95)[..., None]
        DpxFile(codes, transfer=1, fields=(rate,)).write(scan / f"reel1/r1_{index:06d}.dpx")
        if index < 5:
            DpxFile(codes, transfer=1).write(scan / f"reels/deep/dpx/r_{index:06d}.dpx")
            tifffile.imwrite(scan / f"reels/tiff/t{index}.tif", part * 257)
    return scan


def test_film_sequences_page(reels: Path, run_there: Callable[[list[str]], str]) -> None:
    """docs/film-sequences.md from top to bottom: frames are where it says, with their names."""
    output = {}
    for words in commands(ROOT / "docs" / "film-sequences.md"):
        output[" ".join(words)] = run_there(words)
    planned = output["colorbatch video reel1 -o colored/reel1 --dry-run"]
    for told in ("16 frames; 96x64, 10 bits", "transfer log, by its header", "8 frames/s", "free"):
        assert told in planned
    names = {path.name for path in (reels / "reel1").iterdir()}
    made = {path.name for path in files_below(reels / "colored" / "reel1")}
    assert made == names | {"r1.dpx.shots.csv"} and len(names) == 16
    assert len(files_below(reels / "stills")) == 12
    part = sorted(path.name for path in files_below(reels / "colored" / "part"))
    assert part == ["r1.dpx.shots.csv", *(f"r1_{index:06d}.dpx" for index in range(4, 8))]
    below = {path.relative_to(reels / "colored/reels") for path in files_below(reels / "colored")
             if path.is_relative_to(reels / "colored/reels")}  # fmt: skip
    sources = {path.relative_to(reels / "reels") for path in files_below(reels / "reels")}
    films = {path for path in sources if path.suffix == ".mov"}
    lists = {path.with_name(f"{path.name}.shots.csv") for path in films}
    assert below == sources | lists | {
        Path("tiff/t.tif.shots.csv"),
        Path("deep/dpx/r.dpx.shots.csv"),
    }
    assert len(files_below(reels / "colored" / "r")) == 6
    with av.open(str(reels / "reel1.mkv")) as container:
        kinds = [(stream.type, stream.codec_context.name) for stream in container.streams]
        assert ("video", "ffv1") in kinds and "audio" in dict(kinds)
        assert sum(1 for _ in container.decode(video=0)) == 16
    with av.open(str(reels / "films" / "t.mov")) as container:
        assert container.streams.video[0].average_rate == 18
    with av.open(str(reels / "films" / "part.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 4


def files_below(folder: Path) -> list[Path]:
    """Files that are not hidden, at any depth."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in found if ".colorbatch" not in path.parts]
