"""The page in a real Chromium without a network: its numbers, its policy, its keyboard, forged texts."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raysweep.analysis.aggregate import analyse
from raysweep.analysis.evaluations import REACH
from raysweep.analysis.export import report_json
from raysweep.report.page.page import report_page
from raysweep.store.ledger import Ledger
from raysweep.store.sweep_record import SweepRecord, to_json
from raysweep.text import interval_ends, share
from raysweep.trial.options import encoded_options
from raysweep.trial.settings import TrialSettings
from tests.browser import Browser, Page, chromium, needs_chromium
from tests.docs.pages import ROOT
from tests.sweeps import ENVIRONMENT, failure_of, planned, synthetic_results, trials_of, write_sweep

SHORT = {"eval_sequences": 3, "epochs": 400}
LARGEST = 3_000_000
EVIL = '</script><script>alert(1)</script><img src="http://evil.example/x" onerror="alert(2)">\u202e\x00'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def grid(**axes: Any) -> dict[str, Any]:
    block = {"arch": ["echo", "seq2seq"], "len": [2, 3], "mem": [4, 16], "seed": [0, 1], **axes}
    return planned(block, defaults=SHORT)


def accuracy(settings: TrialSettings) -> float:
    return min(1.0, 0.4 + 0.1 * settings.mem**0.5)


def middle(folder: Path) -> Ledger:
    content = grid()
    return write_sweep(folder, content, synthetic_results(trials_of(content)[:9], accuracy))


def troubled(folder: Path) -> Ledger:
    content = grid()
    *done, lost, wrong, _ = trials_of(content)
    failures = [
        failure_of(lost),
        failure_of(wrong, "ValueError: no\nmore of it", kind="error", traceback="Traceback:\n  a line"),
    ]
    results = synthetic_results(done, accuracy, lambda one: one.mem == 16 and (one.seed == 1 or one.len == 2))
    return write_sweep(folder, content, results, failures)


def learning_rates(folder: Path) -> Ledger:
    content = planned(
        {"arch": "seq2seq", "len": 3, "mem": 8, "learning_rate": [0.0001, 0.001, 0.01], "seed": [0, 1]},
        defaults=SHORT,
    )
    return write_sweep(folder, content, synthetic_results(trials_of(content), accuracy))


def empty(folder: Path) -> Ledger:
    return write_sweep(folder, grid(), [])


def without_record(folder: Path) -> Ledger:
    return write_sweep(folder, None, synthetic_results(trials_of(grid())[:4], accuracy))


def former_cells(folder: Path) -> Ledger:
    write_sweep(folder, grid(), synthetic_results(trials_of(grid()), accuracy))
    return write_sweep(folder, grid(len=[3, 4]), [])


STORED = sorted(path for path in (ROOT / "results").iterdir() if (path / "sweep.json").exists())
MADE = [middle, troubled, learning_rates, empty, without_record, former_cells]


@pytest.fixture(params=[*STORED, *MADE], ids=lambda one: getattr(one, "__name__", None) or one.name)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    return Ledger(request.param) if isinstance(request.param, Path) else request.param(tmp_path / "sweep")


def written(ledger: Ledger, folder: Path) -> Path:
    path = folder / "page.html"
    path.write_text(report_page(ledger), encoding="utf-8")
    return path


@needs_chromium
def test_a_page_asks_for_nothing_complains_of_nothing_and_has_the_numbers_of_the_json(
    ledger: Ledger, browser: Browser, tmp_path: Path
) -> None:
    path = written(ledger, tmp_path)
    assert path.stat().st_size < LARGEST
    report = json.loads(report_json(analyse(ledger), REACH))
    with browser.page(path) as page:
        assert rows(page) == [numbers(cell) for cell in report["cells"]]
        assert set(heat_values(page)) <= {cell["exact_match"] for cell in report["cells"]}
        for place, cell in enumerate(report["cells"]):
            page.eval(f"document.querySelector('input[name=cell][value=\"{place}\"]').click()")
            found = page.eval(VALUES % "#chosen .positions td[data-value]")
            assert [json.loads(value) for _, value in found] == cell["position_accuracy"]
            assert [text for text, _ in found] == [share(value) for value in cell["position_accuracy"]]
        page.pdf(tmp_path / "page.pdf")
        assert page.requests == []
        assert page.complaints == []
    with browser.page(path, width=390, scheme="dark") as page:
        assert page.eval("document.documentElement.scrollWidth") <= 390
        assert (page.requests, page.complaints) == ([], [])


VALUES = "[...document.querySelectorAll('%s')].map(e => [e.textContent, e.dataset.value])"

ROWS = """[...document.querySelectorAll('#cell-table tbody tr')].map(row => Object.fromEntries(
    [...row.querySelectorAll('[data-name]')].map(
        e => [e.dataset.name, [e.textContent, e.dataset.value ?? null, e.dataset.high ?? null]])))"""


def rows(page: Page) -> list[dict[str, Any]]:
    """What the table shows, and the number behind it, by column."""
    found: list[dict[str, Any]] = page.eval(ROWS)
    for row in found:
        if row["epochs_to_reach"][1] is None:
            assert re.fullmatch(r"–|never|> [0-9,.]+( \(\d+ of \d+\))?", row["epochs_to_reach"][0])
            row["epochs_to_reach"][0] = "none"
    return [{name: tuple(values) for name, values in row.items()} for row in found]


def numbers(cell: dict[str, Any]) -> dict[str, Any]:
    """What a row must have, from the JSON."""
    interval, epochs = cell["interval"], cell["epochs_to_reach"]

    def number(value: float | None, shown: str) -> tuple[str, str | None, None]:
        return (shown, json.dumps(value), None) if value is not None else ("–", None, None)

    exact, loss = cell["exact_match"], cell["loss"]
    some = f" ({epochs['reached']} of {epochs['of']})" if 0 < epochs["reached"] < epochs["of"] else ""
    median = epochs["median"]
    return {
        "exact_match": number(exact, share(exact or 0)),
        "interval": (
            interval_ends(interval["low"], interval["high"]),
            json.dumps(interval["low"]),
            json.dumps(interval["high"]),
        )
        if interval
        else ("–", None, None),
        "epochs_to_reach": (f"{median:,}".removesuffix(".0") + some, json.dumps(median), None)
        if median is not None
        else ("none", None, None),
        "loss": number(loss, f"{loss or 0:.4f}"),
        "accuracy": number(cell["accuracy"], share(cell["accuracy"] or 0)),
        "windows": number(cell["windows"] or None, f"{cell['windows']:,}"),
        "seeds": (rows_of_seeds(cell["seeds"]), str(len(cell["seeds"])), None),
    }


def rows_of_seeds(seeds: list[int]) -> str:
    return "–" if not seeds else f"{seeds[0]}–{seeds[-1]}" if len(seeds) > 2 else ", ".join(map(str, seeds))


def heat_values(page: Page) -> list[float]:
    data = json.loads(page.eval("document.getElementById('data').textContent"))
    return [value for table in data["tables"].values() for value in table.get("exact_match", [[]])[0]]


@needs_chromium
def test_forged_texts_are_shown_as_text(browser: Browser, tmp_path: Path) -> None:
    ledger = forged(tmp_path / "sweep")
    with browser.page(written(ledger, tmp_path)) as page:
        shown = EVIL.replace("\u202e\x00", "\ufffd\ufffd")
        assert page.eval("document.querySelector('h1').textContent") == shown
        assert page.eval("document.images.length") == 0
        assert page.eval("document.scripts.length") == 3
        page.eval("for (const each of document.querySelectorAll('details')) each.open = true")
        assert page.eval("document.body.innerText").count("alert(1)") >= 10
        for place in range(page.eval("document.querySelectorAll('.mark-rect path').length")):
            page.eval(HOVER % place)
        assert page.eval("document.querySelectorAll('#vg-tooltip-element td').length")
        assert page.eval("document.images.length") == 0
        assert (page.requests, page.complaints) == ([], [])


HOVER = """{
    const mark = [...document.querySelectorAll('.mark-rect path')][%d];
    const box = mark.getBoundingClientRect();
    const clientX = box.x + box.width / 2, clientY = box.y + box.height / 2;
    for (const type of ['pointerover', 'mouseover', 'pointermove', 'mousemove']) mark.dispatchEvent(
        new MouseEvent(type, {bubbles: true, clientX, clientY}));
}"""


def forged(folder: Path) -> Ledger:
    """A results folder whose every text is hostile."""
    network = f"# {EVIL}\n"
    sha256 = hashlib.sha256(network.encode()).hexdigest()
    options = encoded_options({EVIL: EVIL, "image": "http://evil.example/image", "title": EVIL})
    common = {"arch": "gru", "network": sha256, "options": options, "len": 2, "seed": 0, **SHORT}
    trials = [TrialSettings(mem=mem, **common) for mem in (4, 16)]
    trials.append(TrialSettings(mem=4, **{**common, "options": encoded_options({EVIL: f"{EVIL}2"})}))
    lost = TrialSettings(mem=32, **common)
    failure = failure_of(lost, f"{EVIL}\n{EVIL}", host=EVIL, traceback=EVIL)
    ledger = write_sweep(folder, None, synthetic_results(trials, accuracy), [])
    environment = ENVIRONMENT.model_copy(
        update={"versions": {EVIL: EVIL}, "commit": EVIL, "host": EVIL, "cpu_model": EVIL}
    )
    record = SweepRecord(name=EVIL, content={EVIL: [EVIL, {EVIL: EVIL}]}, runs=()).begun(environment)
    ledger.paths.record.write_bytes(to_json(record))
    ledger.paths.networks.mkdir(exist_ok=True)
    ledger.paths.network(sha256).write_text(network)
    ledger.paths.failures.mkdir(exist_ok=True)
    ledger.paths.failure(failure.trial_id).write_bytes(to_json(failure))
    return ledger


@needs_chromium
def test_the_table_is_sorted_and_a_cell_is_chosen_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    with browser.page(written(middle(tmp_path / "sweep"), tmp_path)) as page:
        page.eval("document.querySelectorAll('#cell-table thead button')[3].focus()")
        heads = "[...document.querySelectorAll('[aria-sort]')].map(e => e.getAttribute('aria-sort'))"
        page.press("Enter")
        ascending = [row["exact_match"][1] for row in rows(page)]
        known = [json.loads(value) for value in ascending if value]
        assert known == sorted(known)
        assert ascending[len(known) :] == [None] * (len(ascending) - len(known))
        assert page.eval(heads)[3] == "ascending"
        page.press("Enter")
        assert [row["exact_match"][1] for row in rows(page)][: len(known)] == ascending[: len(known)][::-1]
        assert page.eval(heads)[3] == "descending"
        assert page.eval(heads).count("none") == len(page.eval(heads)) - 1
        page.eval("document.querySelector('#cell-table input:checked').focus()")
        before = page.eval("document.querySelector('#chosen h3').textContent")
        page.press("ArrowDown")
        assert page.eval("document.querySelector('#chosen h3').textContent") != before
        page.press("ArrowUp")
        assert page.eval("document.querySelector('#chosen h3').textContent") == before
        page.press("Tab", modifiers=8)
        outline = "getComputedStyle(document.activeElement).outlineWidth"
        assert page.eval(outline) == "3px"


@needs_chromium
def test_wrong_positions_are_marked_not_by_colour_alone(browser: Browser, tmp_path: Path) -> None:
    with browser.page(written(middle(tmp_path / "sweep"), tmp_path)) as page:
        said = page.eval(VALUES % "td.wrong")
        assert all(text.endswith(" wrong") for text, _ in said)
        style = "(({borderColor, fontWeight}) => [borderColor, fontWeight])(getComputedStyle(%s))"
        assert page.eval(style % "document.querySelector('td.wrong')") == ["rgb(168, 35, 28)", "700"]
        data = json.loads(page.eval("document.getElementById('data').textContent"))
        chosen = int(page.eval("document.querySelector('input:checked').value"))
        examples = data["cells"][chosen]["examples"]
        pairs = [zip(*window[-3:-1], strict=True) for window in examples]
        assert len(said) == sum(a != b for window in pairs for a, b in window) > 0
        assert [one[-1] for one in examples] == sorted(one[-1] for one in examples)


@needs_chromium
def test_every_digit_is_shown_on_request(browser: Browser, tmp_path: Path) -> None:
    ledger = middle(tmp_path / "sweep")
    cells = json.loads(report_json(analyse(ledger), REACH))["cells"]
    with browser.page(written(ledger, tmp_path)) as page:
        page.eval("document.getElementById('digits').click()")
        shown = [row["loss"][0] for row in rows(page)]
        assert shown == [json.dumps(cell["loss"]) if cell["loss"] else "–" for cell in cells]
        page.eval("document.getElementById('digits').click()")
        assert rows(page) == [numbers(cell) for cell in cells]


@needs_chromium
def test_in_print_everything_is_open_and_light(browser: Browser, tmp_path: Path) -> None:
    with browser.page(written(troubled(tmp_path / "sweep"), tmp_path), width=718, scheme="dark") as page:
        page.scheme("dark", "print")
        page.eval("window.dispatchEvent(new Event('beforeprint'))")
        assert page.eval("document.querySelectorAll('details:not([open])').length") == 0
        assert page.eval("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
        table = "(e => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight)"
        assert page.eval(f"{table}(document.querySelector('.table'))")
        assert page.eval("[...document.querySelectorAll('.chart .dark')].every(e => !e.offsetHeight)")
        page.eval("window.dispatchEvent(new Event('afterprint'))")
        assert page.eval("document.querySelectorAll('details[open]').length") == 0


def test_the_same_sweep_gives_the_same_bytes(ledger: Ledger) -> None:
    first = report_page(ledger)
    assert first == report_page(Ledger(ledger.paths.folder))
    assert len(first.encode()) < LARGEST


def test_the_policy_allows_nothing_but_the_scripts_of_the_page(tmp_path: Path) -> None:
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', report_page(middle(tmp_path / "sweep")))
    assert found is not None
    policy = dict(part.strip().split(" ", 1) for part in found[1].replace("&#x27;", "'").split(";"))
    hashes = policy.pop("script-src").split()
    assert len(hashes) == 2
    assert all(re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", one) for one in hashes)
    assert policy == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_damaged_predictions_are_named_where_their_examples_would_be(tmp_path: Path) -> None:
    ledger = middle(tmp_path / "sweep")
    for path in ledger.paths.predictions.iterdir():
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    assert "raysweep verify` lists damaged files" in report_page(ledger)
