"""The human test: what a page holds, what answers come to, and the page itself in a real browser.

The browser is Chromium or Chrome with its chromedriver, where both are installed; with
REQUIRE_BROWSER set, as in .ci/run, their absence fails.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from colorbatch import color
from colorbatch.errors import ColorbatchError, ModelError, UsageError
from colorbatch.model.contract import sha256
from training import cli
from training.human_test import (
    FORMAT,
    Page,
    PageSettings,
    Rate,
    Score,
    Trial,
    join,
    make_page,
    read_answers,
    shrink,
)

Photos = tuple[Path, Path]
SETTINGS = PageSettings(pictures=8, seed=3, size=64)


@pytest.fixture(scope="module")
def page(tiny_model: Path, photos: Photos) -> Page:
    """Eight trials of the tiny model, at most 64 pixels wide and high."""
    return make_page(tiny_model, photos[0], SETTINGS)


def pixels(trial: Trial) -> color.Codes:
    """A trial's picture as people see it, decoded by Pillow: (H, W, 3), uint8."""
    return np.array(Image.open(io.BytesIO(trial.jpeg)))


def original(trial: Trial, photos: Photos) -> color.Codes:
    """The photograph behind a trial, at the trial's size, made small by Pillow."""
    with Image.open(photos[0] / trial.photograph) as image:
        return np.array(image.resize(trial.size[::-1], Image.Resampling.BOX))


# --- the page ----------------------------------------------------------------------------------


class Attributes(HTMLParser):
    """Collects every attribute of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One (tag, name, value) per attribute."""
        self.found += [(tag, name, value or "") for name, value in attrs]


def test_page_needs_nothing_from_outside(page: Page) -> None:
    """No address but data:, nothing imported, and a policy that forbids every connection."""
    assert not re.search(r"https?:|//\w+\.|@import|url\(|\bimport\b|\bfetch\b", page.html)
    found = Attributes(page.html).found
    addresses = [value for _, name, value in found if name in ("src", "href", "srcset", "action")]
    assert all(value.startswith("data:") for value in addresses)
    [policy] = [v for tag, name, v in found if name == "content" and "default-src" in v]
    assert "default-src 'none'; img-src data:;" in policy
    assert ("html", "lang", "en") in found


def test_half_of_the_pictures_are_colored(page: Page, photos: Photos) -> None:
    """Half are the photographs themselves, half have their lightness and a model's colors; each
    photograph is shown once."""
    assert len({trial.photograph for trial in page.trials}) == len(page.trials) == 8
    assert sum(trial.colored for trial in page.trials) == 4
    for trial in page.trials:
        shown, true = (
            color.rgb_to_lab(rgb).astype(float) for rgb in (pixels(trial), original(trial, photos))
        )
        assert shown.shape == true.shape
        off = np.abs(shown - true).mean(axis=(0, 1))
        # JPEG at quality 92 costs about 2 Lab units here; the tiny model's colors are far off
        assert off[0] < 3
        assert (off[1:].mean() > 8) == trial.colored


def test_odd_number_of_pictures(tiny_model: Path, photos: Photos) -> None:
    """Of seven, three are colored."""
    odd = make_page(tiny_model, photos[0], PageSettings(pictures=7, size=64))
    assert [len(odd.trials), sum(trial.colored for trial in odd.trials)] == [7, 3]


def test_nothing_but_the_pixels_tells_the_kinds_apart(page: Page) -> None:
    """Same size, same JPEG tables, full chroma and no metadata; no name and no answer in clear;
    kinds in no regular order."""
    images = [Image.open(io.BytesIO(trial.jpeg)) for trial in page.trials]
    tables = [image.quantization for image in images]  # type: ignore[attr-defined]
    assert all(table == tables[0] for table in tables)
    assert len({image.size for image in images}) == 1
    for image in images:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    data = page.html.split('id="test">')[1].split("</script>")[0]
    assert {key for item in json.loads(data)["pictures"] for key in item} == {
        "width",
        "height",
        "jpeg",
    }
    clear = re.sub(r"[\w+/=]{200,}", "", data)
    assert "photo" not in clear and "colored" not in clear and "tiny" not in clear
    assert len({trial.colored for trial in page.trials[::2]}) == 2


def test_seed_decides(page: Page, tiny_model: Path, photos: Photos) -> None:
    """The same seed makes the same page, byte by byte; another one another page."""
    assert make_page(tiny_model, photos[0], SETTINGS) == page
    other = make_page(tiny_model, photos[0], PageSettings(pictures=8, seed=4, size=64))
    assert other.id != page.id
    assert [t.photograph for t in other.trials] != [t.photograph for t in page.trials]


def test_page_of_a_run(finished_run: Path, photos: Photos) -> None:
    """A run's folder and its checkpoint file make the same colors; the page knows the weights."""
    settings = PageSettings(pictures=4, size=64)
    run, file = (
        make_page(source, photos[0], settings)
        for source in (finished_run, finished_run / "checkpoint.pt")
    )
    assert run.trials == file.trials
    sealed = re.search(r'"sealed": "([^"]+)"', run.html)
    assert sealed is not None
    key = json.loads(base64.b64decode(sealed[1]))
    assert key["model"] == {"name": "run", "sha256": sha256(finished_run / "checkpoint.pt")}
    assert key["colored"] == [trial.colored for trial in run.trials]


def test_what_is_passed_over(tiny_model: Path, photos: Photos, tmp_path: Path) -> None:
    """Grey, broken and repeated photographs are counted, never shown; folders are searched."""
    (tmp_path / "below").mkdir()
    for i in range(3):
        shutil.copy(photos[0] / f"photo{i:02d}.png", tmp_path / "below" / f"{i}.png")
    shutil.copy(photos[0] / "photo00.png", tmp_path / "again.png")
    Image.new("RGB", (80, 60), (90, 90, 90)).save(tmp_path / "grey.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    page = make_page(tiny_model, tmp_path)
    assert (len(page.trials), page.grey, page.unreadable, page.repeated) == (3, 1, 1, 1)


@pytest.mark.parametrize(("size", "shrunk"), [((90, 100), (58, 64)), ((20, 9), (20, 9))])
def test_shrink_keeps_the_aspect(size: tuple[int, int], shrunk: tuple[int, int]) -> None:
    """The long side is bounded; small pictures are not enlarged."""
    assert shrink(np.zeros((*size, 3), np.uint8), 64).shape == (*shrunk, 3)


def test_too_few_photographs(tiny_model: Path, photos: Photos, tmp_path: Path) -> None:
    """One photograph is no test; no folder and no model are said so."""
    shutil.copy(photos[0] / "photo00.png", tmp_path)
    with pytest.raises(UsageError, match="at least 2 color photographs"):
        make_page(tiny_model, tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        make_page(tiny_model, tmp_path / "none")
    with pytest.raises(ModelError):
        make_page(tmp_path / "none.onnx", photos[0])


# --- the answers -------------------------------------------------------------------------------

NEWCOMBE = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0, 0.1611),
    (1, 29, 0.0061, 0.1718),
]
"""Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3."""


@pytest.mark.parametrize(("count", "trials", "low", "high"), NEWCOMBE)
def test_interval(count: int, trials: int, low: float, high: float) -> None:
    """Wilson's interval as it is printed, to four digits."""
    assert Rate(count, trials).interval == pytest.approx((low, high), abs=5e-5)


def answers(identity: str = "a", weights: str = "0" * 64, **changes: Any) -> dict[str, Any]:
    """What a page saves: of four colored pictures one taken for real, of four true ones three."""
    kinds = [(True, "real"), *[(True, "machine")] * 3, *[(False, "real")] * 3, (False, "machine")]
    return {
        "format": FORMAT,
        "version": 1,
        "id": identity,
        "page": "p",
        "model": {"name": "unet", "sha256": weights},
        "person": f"person {identity}",
        "started": "2026-01-01T00:00:00.000Z",
        "answers": [
            {"picture": i, "photograph": f"{i}", "colored": colored, "answer": given, "ms": 1e3 * i}
            for i, (colored, given) in enumerate(kinds)
        ],
    } | changes


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Writes answers as NAME.json; the path."""

    def save(name: str, values: object) -> Path:
        path = tmp_path / f"{name}.json"
        path.write_text(values if isinstance(values, str) else json.dumps(values), "utf-8")
        return path

    return save


def test_score(saved: Callable[..., Path]) -> None:
    """The shares and the median time of one person, counted by hand."""
    [score] = join([saved("a", answers())])
    assert score.joined == Score(8, Rate(1, 4), Rate(3, 4), 3.5)
    assert score.people == (("person a", score.joined),)


def test_people_are_joined_for_each_model(saved: Callable[..., Path]) -> None:
    """Counts of people add up, over pages, but never over models with other weights."""
    quick = [item | {"answer": "real", "ms": 10} for item in answers()["answers"]]
    files = [
        saved("a", answers()),
        saved("b", answers("b", page="q", person="", answers=quick)),
        saved("c", answers("c", "1" * 64)),
    ]
    first, second = join(files)
    assert (first.pages, second.pages) == (("p", "q"), ("p",))
    assert [name for name, _ in first.people] == ["person a", "anonymous b"]
    # times: 0, eight times 10, then 1000 to 7000 ms
    assert first.joined == Score(16, Rate(5, 8), Rate(7, 8), 0.01)
    assert second.joined == Score(8, Rate(1, 4), Rate(3, 4), 3.5)
    assert "2 pages" in first.text() and first.text().splitlines()[-1].startswith("all ")


def test_same_answers_twice(saved: Callable[..., Path]) -> None:
    """One sitting saved twice, even under another name, is refused."""
    files = [saved("a", answers()), saved("b", answers(person="somebody else"))]
    with pytest.raises(UsageError, match=r"a\.json and .*b\.json are the same person's answers"):
        join(files)


ITEM = answers()["answers"][0]


@pytest.mark.parametrize(
    "values",
    [
        "",
        "{",
        "[" * 100_000,
        "[]",
        "{}",
        '{"version": 1}',
        answers(version=2),
        answers(id=5),
        answers(model="unet"),
        answers(answers=[]),
        answers(answers=5),
        answers(answers=[ITEM]),
        answers(answers=[ITEM, ITEM | {"colored": False}]),
        *(
            answers(answers=[*answers()["answers"][1:], ITEM | change])
            for change in (
                {"answer": "perhaps"},
                {"colored": 1},
                {"ms": "12"},
                {"ms": -1},
                {"ms": float("nan")},
                {"ms": 10**400},
                {"picture": []},
            )
        ),
        answers(answers=[{**ITEM, "ms": None}]),
        {key: value for key, value in answers().items() if key != "person"},
    ],
    ids=lambda values: str(values)[:12] if isinstance(values, str) else None,
)
def test_files_that_hold_no_answers(saved: Callable[..., Path], values: object) -> None:
    """Broken, foreign and forged files are refused with their name, on one line."""
    with pytest.raises(ColorbatchError, match=r"bad\.json: ") as refused:
        read_answers(saved("bad", values))
    assert "\n" not in str(refused.value)


def test_names_cannot_steer_a_terminal(saved: Callable[..., Path]) -> None:
    """A name on several lines with escape sequences comes out on one line without them."""
    sitting = read_answers(saved("a", answers(person="Zo\u00eb\n\x1b[31m B. ")))
    assert sitting.person == "Zo\u00eb [31m B."


# --- the command line --------------------------------------------------------------------------


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """`python -m training human-test` with these words: exit code, output, errors."""

    def main(*words: object) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["training", "human-test", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return main


def test_command_makes_a_page(
    command: Callable[..., tuple[int, str, str]],
    page: Page,
    tiny_model: Path,
    photos: Photos,
    tmp_path: Path,
) -> None:
    """The options arrive, the folder is made, and the page is the one that the function makes."""
    words = [tiny_model, "--data", photos[0], "--out", tmp_path / "new" / "page.html"]
    code, out, _ = command(*words, "--pictures", 8, "--seed", 3, "--size", 64)
    assert code == 0
    assert (tmp_path / "new" / "page.html").read_text("utf-8") == page.html
    assert f"page {page.id}" in out and "8 photographs, 4 of them colored" in out


def test_command_scores(
    command: Callable[..., tuple[int, str, str]], saved: Callable[..., Path]
) -> None:
    """`--score` prints a table; with `--json` the same as numbers."""
    files = [saved("a", answers()), saved("b", answers("b"))]
    code, out, _ = command("--score", *files)
    assert code == 0
    assert "person b" in out and "25.0 % (7.1 to 59.1)" in out  # 2 of 8, by hand
    code, out, _ = command(*files, "--score", "--json")
    [model] = json.loads(out)["models"]
    assert (code, model["joined"]["fooling"]["count"], len(model["people"])) == (0, 2, 2)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("", 2, "Missing argument"),
        ("run", 2, "--data DIR --out PAGE.html"),
        ("run --data .", 2, "--out PAGE.html"),
        ("run other --data . --out page.html", 2, "one model, not 2"),
        ("run --data . --out page.png", 2, "ends in .html"),
        ("run --data nowhere --out page.html", 2, "no such folder"),
        ("run --data . --out page.html --json", 2, "--json goes with --score"),
        ("run --data . --out page.html --pictures 1", 2, "--pictures"),
        ("--score a.json --data .", 2, "--data is for making a page"),
        ("--score a.json --seed 0", 2, "--seed is for making a page"),
        ("--score none.json", 2, "cannot read"),
        ("--score page.txt", 1, "not answers to a human test"),
    ],
)
def test_command_refuses(
    command: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    words: str,
    code: int,
    said: str,
) -> None:
    """Wrong words and files end with one line that says what is wrong, and leave no page."""
    (tmp_path / "page.txt").write_text("no JSON")
    ended, _, errors = command(*words.split())
    assert (ended, said in errors) == (code, True), errors
    assert len([line for line in errors.splitlines() if "rror: " in line]) == 1
    assert not list(tmp_path.glob("*.html"))


# --- the page in a browser ---------------------------------------------------------------------


def _browser() -> tuple[str, str] | None:
    """The programs of a browser and its driver, where they are installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next((path for name in names if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A driven headless browser whose downloads land in its `downloads`; skips without one."""
    programs = _browser()
    if programs is None:
        reason = "no Chromium with chromedriver (Debian: chromium, chromium-driver)"
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    folder = tmp_path_factory.mktemp("downloads")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    # no sandbox: it refuses to run as root, as in containers, and the page is our own
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(programs[1]))
    driver.set_network_conditions(offline=True, latency=0, throughput=0)
    driver.downloads = folder
    yield driver
    driver.quit()


class Person:
    """A person in front of the page, who knows a picture by its bytes, never by the page's key."""

    def __init__(self, driver: Any, page: Page, folder: Path) -> None:
        self.driver, self.page = driver, page
        path = folder / "page.html"
        path.write_text(page.html, "utf-8")
        driver.switch_to.new_window("tab")  # with a session of its own
        driver.get(path.as_uri())

    def find(self, name: str) -> Any:
        """The element with this id."""
        return self.driver.find_element("id", name)

    def wait(self, condition: str) -> None:
        """Until a JavaScript expression holds."""
        end = time.monotonic() + 60
        while not self.driver.execute_script(f"return {condition}"):
            assert time.monotonic() < end, condition
            time.sleep(0.02)

    def see(self) -> Trial:
        """The trial that is shown, as soon as it may be answered."""
        self.wait("shownAt !== null && performance.now() > shownAt + TOO_FAST_MS")
        source = self.find("frame").find_element("tag name", "img").get_attribute("src")
        kind, data = source.split(",")
        assert kind == "data:image/jpeg;base64"
        [trial] = [t for t in self.page.trials if t.jpeg == base64.b64decode(data)]
        return trial

    def press(self, key: str) -> None:
        """Press a key, wherever the focus is."""
        self.driver.switch_to.active_element.send_keys(key)

    def text(self, name: str) -> str:
        """What an element shows."""
        return str(self.find(name).text)

    def download(self) -> Path:
        """Save the answers: the file."""
        before = set(self.driver.downloads.iterdir())
        self.find("save").click()
        end = time.monotonic() + 60
        while time.monotonic() < end:
            new = set(self.driver.downloads.glob("*.json")) - before
            if new and json.loads((path := new.pop()).read_bytes() or b"0"):
                return path
            time.sleep(0.05)
        raise AssertionError("nothing was saved")


@pytest.fixture
def person(chromium: Any, page: Page, tmp_path: Path) -> Person:
    """Somebody who has just opened the page."""
    return Person(chromium, page, tmp_path)


def test_whole_test_in_a_browser(person: Person) -> None:
    """Answers by click and by key are counted and timed as the person gave them; the page's result,
    its saved answers and Python's score agree; nothing but the file itself was ever loaded."""
    from selenium.webdriver.common.keys import Keys

    assert "8 photographs" in person.text("intro") and not person.find("trial").is_displayed()
    started = time.monotonic()
    person.find("start").click()
    ways: dict[str, list[Callable[[], None]]] = {
        "real": [
            lambda: person.press("r"),
            lambda: person.press(Keys.ARROW_LEFT),
            lambda: person.find("real").click(),
        ],
        "machine": [
            lambda: person.press("M"),
            lambda: person.press(Keys.ARROW_RIGHT),
            lambda: person.find("machine").click(),
        ],
    }
    given: list[tuple[Trial, str]] = []
    for i in range(8):
        trial = person.see()
        assert person.text("position") == f"{i + 1} of 8"
        # one colored picture in two is taken for real, and three true ones in four
        before = sum(other.colored == trial.colored for other, _ in given)
        word = "real" if before % (2 if trial.colored else 4) else "machine"
        if i == 5:
            time.sleep(0.6)
        ways[word][sum(w == word for _, w in given) % 3]()
        given.append((trial, word))
    seconds = time.monotonic() - started
    assert len({trial.photograph for trial, _ in given}) == 8

    person.wait("!document.getElementById('result').hidden")
    fooling, trusting = Rate(2, 4), Rate(3, 4)
    low, high = (100 * bound for bound in fooling.interval)
    assert person.text("fooling") == "2 of 4 (50.0 %)"
    assert person.text("interval") == f"{low:.1f} % to {high:.1f} %"
    assert person.text("trusting") == "3 of 4 (75.0 %)"
    person.find("person").send_keys("Zo\u00eb <b>")
    file = person.download()
    sitting = read_answers(file)
    assert (sitting.page, sitting.person) == (person.page.id, "Zo\u00eb <b>")
    expected = [(t.photograph, t.colored, word) for t, word in given]
    items = json.loads(file.read_bytes())["answers"]
    assert [(item["photograph"], item["colored"], item["answer"]) for item in items] == expected
    times = [item["ms"] for item in items]
    assert times[5] >= 600 and sum(times) <= 1000 * seconds and min(times) >= 150
    [score] = join([file])
    assert (score.joined.fooling, score.joined.trusting) == (fooling, trusting)
    assert score.model == "tiny"
    # both round the same median to hundredths, the page from tenths of milliseconds
    shown = float(person.text("median").removesuffix(" s"))
    assert shown == pytest.approx(score.joined.median_seconds, abs=0.0051)

    messages = [
        json.loads(row["message"])["message"] for row in person.driver.get_log("performance")
    ]
    requests = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert {url.split(":")[0] for url in requests} <= {"file", "data", "blob", "about"}
    assert not [row for row in person.driver.get_log("browser") if row["level"] == "SEVERE"]

    person.find("again").click()
    assert person.find("intro").is_displayed()
    assert person.driver.execute_script("return sitting.id") != sitting.id


def test_reload_goes_on(person: Person) -> None:
    """After a reload the same person goes on at the same picture, answers kept."""
    person.find("start").click()
    for _ in range(3):
        person.see()
        person.press("r")
    shown = person.see()
    before = person.driver.execute_script("return sitting")
    person.driver.refresh()
    assert person.see() == shown
    assert person.driver.execute_script("return sitting") == before
    assert person.text("position") == "4 of 8"


def test_hasty_keys_are_no_answers(person: Person) -> None:
    """Before a picture is seen, while a key is held, and with Ctrl, nothing is answered; other keys
    never are."""
    person.find("start").click()
    person.see()
    press = "document.dispatchEvent(new KeyboardEvent('keydown', arguments[0]));"
    count = "return sitting.answers.length"
    for event in ({"key": "r", "repeat": True}, {"key": "r", "ctrlKey": True}, {"key": "x"}):
        assert person.driver.execute_script(press + count, event) == 0
    assert person.driver.execute_script(press * 3 + count, {"key": "r"}) == 1
    person.see()
    assert person.text("position") == "2 of 8"


def test_page_in_a_narrow_window(person: Person) -> None:
    """On a phone's width nothing has to be scrolled sideways, and both buttons can be reached."""
    size = {"width": 320, "height": 600, "deviceScaleFactor": 2, "mobile": True}
    person.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        person.find("start").click()
        person.see()
        assert person.driver.execute_script("return document.documentElement.scrollWidth") == 320
        for name in ("real", "machine"):
            box = person.find(name).rect
            assert box["x"] >= 0 and box["x"] + box["width"] <= 320
            assert box["y"] + box["height"] <= 600
    finally:
        person.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_policy_is_in_force(person: Person) -> None:
    """The browser itself refuses to load a picture from elsewhere."""
    refused = person.driver.execute_async_script(
        "const done = arguments[0];"
        "document.addEventListener('securitypolicyviolation',"
        " (event) => done(event.effectiveDirective));"
        "new Image().src = 'http://127.0.0.1:9/x.png';"
    )
    assert refused == "img-src"


def test_arithmetic_of_the_page(person: Person) -> None:
    """The page's interval is scipy's, its median the middle, its shuffle fair."""
    run = person.driver.execute_script
    for count, trials in [(0, 20), (1, 29), (81, 263), (20, 20), (1, 1), (7, 20)]:
        found = run("return wilson(...arguments)", count, trials)
        assert found == pytest.approx(Rate(count, trials).interval, abs=1e-12)
    assert run("return [median([3, 1, 2]), median([10, 9, 1, 2])]") == [2, 5.5]
    counts = run(
        "const counts = Array.from({length: 5}, () => [0, 0, 0, 0, 0]);"
        "for (let i = 0; i < 5000; i++)"
        "  shuffled(5).forEach((value, place) => counts[value][place]++);"
        "return counts"
    )
    # binomial: 1000 expected, standard deviation 28; five and a half of them
    assert np.abs(np.array(counts) - 1000).max() < 155
