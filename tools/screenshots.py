"""The pictures of the console in docs/, taken from the sample of `mnemos demo` with its clock.

    python tools/screenshots.py

Needs playwright's package and Debian's chromium; without them it says so and changes nothing.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnemos import Mnemos
from mnemos.demo import USER
from mnemos.sample import ASKED_AT, history_file
from mnemos.serve import Settings, create_app
from mnemos.serve.run import listener

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
DOCS = Path(__file__).parent.parent / "docs"
MOST = 150_000
"""Bytes of one picture."""
WIDE = {"viewport": {"width": 1000, "height": 640}}
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "color_scheme": "dark"}


@contextmanager
def sample_server() -> Iterator[str]:
    """The address of a server over the sample."""
    with tempfile.TemporaryDirectory(prefix="mnemos-pictures-") as name:
        tenants = Path(name, "tenants")
        tenants.mkdir()
        with Mnemos(tenants / "default.db", clock=lambda: ASKED_AT) as memory:
            memory.import_file(history_file(), user_id=USER)
            memory.maintain()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            settings = Settings(folder=Path(name), port=free.getsockname()[1])
        server = listener(create_app(settings, lambda: ASKED_AT), settings)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield f"http://127.0.0.1:{settings.port}"
        finally:
            server.should_exit = True
            thread.join()


def search(page: Page) -> None:
    """Two hits, and all that spoke for the first."""
    page.goto("/ui?q=What+is+my+phone+number+now%3F")


def levels(page: Page) -> None:
    """A theme, opened down to the turns."""
    page.goto("/ui/levels")
    theme = page.locator("section[aria-labelledby=themes-title] details.step").first
    theme.locator("summary").first.click()
    theme.locator("details.step summary").first.click()
    theme.locator(".turn mark").first.wait_for()
    page.evaluate("scrollTo(0, document.querySelector('section[aria-labelledby=themes-title]').offsetTop - 24)")


def graph(page: Page) -> None:
    """What is around a person, in the dark."""
    page.goto("/ui/graph?who=Tomasz")
    page.evaluate("scrollTo(0, document.querySelector('#around').offsetTop - 24)")


def history(page: Page) -> None:
    """A memory whose words were changed."""
    page.goto("/ui?q=my+new+number+is&kind=turn")
    page.locator("li.hit a.open", has_text="put it in").click()
    page.get_by_text("Change its words…").click()
    words = page.get_by_label("Words")
    words.fill(words.input_value().replace("417 is dead", "417 is gone for good"))
    page.get_by_role("button", name="Keep these words").click()
    page.get_by_role("button", name="Pin").click()
    page.evaluate("scrollTo(0, document.querySelector('.history').offsetTop - 20)")


def forgetting(page: Page) -> None:
    """What would go, and why."""
    page.goto("/ui/forgetting?keep=50+%25")


def timeline(page: Page) -> None:
    """What happened, on a phone."""
    page.goto("/ui/timeline")


PICTURES: tuple[tuple[str, Any, dict[str, Any]], ...] = (
    ("search", search, WIDE),
    ("levels", levels, WIDE),
    ("graph", graph, {**WIDE, "color_scheme": "dark"}),
    ("timeline", timeline, PHONE),
    ("forgetting", forgetting, WIDE),
    ("history", history, {"viewport": {"width": 1000, "height": 420}}),
)
"""The last one changes what the sample says."""


def take(browser: Browser, url: str) -> None:
    """Write every picture."""
    for name, show, settings in PICTURES:
        with browser.new_context(base_url=url, reduced_motion="reduce", **settings) as context:
            page = context.new_page()
            show(page)
            page.mouse.move(0, 0)
            picture = page.screenshot(animations="disabled", caret="hide")
        if len(picture) > MOST:
            sys.exit(f"console-{name}.png has {len(picture):,} bytes; at most {MOST:,}")
        (DOCS / f"console-{name}.png").write_bytes(picture)
        print(f"docs/console-{name}.png {len(picture) / 1000:.0f} kB")


def main() -> None:
    """Take them, where a browser is at hand."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        sys.exit("screenshots stay as they are: playwright is not installed")
    with sample_server() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        take(browser, url)
        browser.close()


if __name__ == "__main__":
    main()
