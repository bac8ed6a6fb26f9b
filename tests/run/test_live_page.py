"""The page of `run --html`: when it is renewed, and what happens when it cannot be."""

import sys
import time
from pathlib import Path

import pytest

from raysweep.errors import StorageError, UsageError
from raysweep.run import live_page
from raysweep.run.live_page import LivePage
from raysweep.store.output_files import PAGES, require_writable, write_output


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Gets a line for each version that is begun."""
    return tmp_path / "made"


def page(made: Path, clock: Clock, versions: list[int], body: str = "") -> LivePage:
    live = LivePage(made.parent / "sweep", made.parent / "page.html", lambda: versions[-1], clock)
    script = f"open({str(made)!r}, 'a').write('made\\n')\n{body}"
    live._command = [sys.executable, "-S", "-c", script]
    return live


def renewed(live: LivePage) -> str:
    """Renew, and wait until the version that was begun has ended."""
    problem = live.renew()
    while live._making is not None and live._making.poll() is None:
        time.sleep(0.01)
    return problem


def times(made: Path) -> int:
    return len(made.read_text().splitlines()) if made.exists() else 0


def test_a_page_is_renewed_when_something_has_changed_and_its_time_has_come(made: Path, clock: Clock) -> None:
    versions = [0]
    live = page(made, clock, versions)
    renewed(live)
    assert times(made) == 1
    versions.append(1)
    renewed(live)  # which ends the first, 0 s ago
    clock.now = live_page.EVERY_S - 1
    renewed(live)
    assert times(made) == 1
    clock.now = live_page.EVERY_S
    renewed(live)
    assert times(made) == 2
    renewed(live)
    clock.now *= 10
    renewed(live)
    assert times(made) == 2  # nothing has changed
    assert live.finish(wait=True) == ""
    assert times(made) == 3


def test_a_page_that_takes_long_is_made_seldom(made: Path, clock: Clock) -> None:
    versions = [0]
    live = page(made, clock, versions)
    renewed(live)
    clock.now = 20
    renewed(live)
    versions.append(1)
    clock.now = 20 + live_page.SHARE * 20 - 1
    renewed(live)
    assert times(made) == 1
    clock.now += 1
    renewed(live)
    assert times(made) == 2
    live.finish(wait=True)


def test_what_went_wrong_is_returned_once(made: Path, clock: Clock) -> None:
    live = page(made, clock, [0], "import sys; sys.exit('the disk is full')")
    assert renewed(live) == ""
    assert renewed(live) == "the disk is full"
    assert renewed(live) == ""
    assert live.finish(wait=True) == "the disk is full"


def test_the_last_version_does_not_wait_for_an_earlier_one(made: Path, clock: Clock) -> None:
    live = page(made, clock, [0], "import time; time.sleep(60)")
    live.renew()
    slow = live._making
    assert slow is not None
    live._command[-1] = "pass"
    begun = time.monotonic()
    assert live.finish(wait=True) == ""
    assert time.monotonic() - begun < 30
    assert slow.returncode == -9


def test_a_file_is_replaced_in_one_step_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_output(path, b"first")
    write_output(path, b"second")
    assert path.read_bytes() == b"second"
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]


def test_a_file_may_be_named_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    require_writable(tmp_path / "link" / "page.html", PAGES, tmp_path / "results")
    write_output(tmp_path / "link" / "page.html", b"page")
    assert (tmp_path / "folder" / "page.html").read_bytes() == b"page"


@pytest.mark.parametrize("name", ["/dev/null", "/", "missing/page.html"])
def test_a_device_a_folder_and_a_missing_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=name):
        require_writable(tmp_path / name, ("", *PAGES), tmp_path / "results")


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "loop.html").symlink_to("loop.html")
    with pytest.raises(UsageError, match=r"loop\.html: a link that leads nowhere"):
        require_writable(tmp_path / "loop.html", PAGES, tmp_path / "results")


@pytest.mark.parametrize("name", ["s/sweep.json", "s/page.html", "s/trials/x.htm", "grid.yaml", "page"])
def test_results_and_files_that_are_no_pages_are_never_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / "s" / "trials").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"ends with \.html|is in the results folder"):
        require_writable(tmp_path / name, PAGES, tmp_path / "s")


def test_what_cannot_be_written_is_said_without_advice_that_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"page\.html: cannot be written: ") as raised:
        require_writable(Path("/proc/self/page.html"), PAGES, Path("results"))
    assert "--results-dir" not in str(raised.value)
