"""What one film does to the others while films are planned."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from click.testing import CliRunner

from colorbatch.cli.video import video


def test_an_error_that_nobody_foresaw_is_one_failed_film(
    make_clip: Callable[..., Path],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """libav's binding breaks at one film as it never should: that one is named, the other made."""
    good, bad = make_clip("good.mkv"), make_clip("bad.mkv")
    really = av.open

    def broken(file: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(file, str) and file.endswith("bad.mkv"):
            raise RuntimeError("broken within")
        return really(file, *arguments, **options)

    monkeypatch.setattr(av, "open", broken)
    command = [good, bad, "-o", tmp_path / "out", "-m", tiny_model, "--json", "-q"]
    run = CliRunner().invoke(video, list(map(str, command)))
    assert run.exit_code == 3, run.output
    *films, summary = map(json.loads, run.stdout.splitlines())
    told = {Path(film["source"]).name: film for film in films}
    assert told["bad.mkv"]["status"] == "failed"
    assert told["bad.mkv"]["reason"] == "RuntimeError: broken within"
    assert told["good.mkv"]["status"] == "colored"
    assert (tmp_path / "out" / "good.mkv").is_file() and summary["summary"]["failed"] == 1
