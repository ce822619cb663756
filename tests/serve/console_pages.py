"""What the tests of the console share: the sample's store, and a client that reads pages and sends their forms."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path

import httpx2
from live_server import Serving

from mnemos.demo import USER
from mnemos.records import Memory
from mnemos.sample import ASKED_AT, history_file
from mnemos.serve.server import COOKIE
from mnemos.system import Mnemos

PAGES = (
    "/ui", "/ui?q=vegan", "/ui?q=vegan&show=context", "/ui/timeline", "/ui/levels", "/ui/graph", "/ui/status",
    "/ui/forgetting", "/ui/forgetting?keep=50+%25", "/ui/import",
)  # fmt: skip
PROOF = re.compile(r'name="proof" value="([0-9a-f]+)"')
TAGS = re.compile(r"<[^>]*>")
EVIL = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> \"quoted\" 'single' {{ 7 * 7 }} \u202eevil\u202c &lt;b&gt;"
)


def sample_store(folder: Path) -> Path:
    """A server's folder in which tenant `default` has the sample's history, read and derived."""
    tenants = folder / "tenants"
    tenants.mkdir(parents=True)
    with Mnemos(tenants / "default.db", clock=lambda: ASKED_AT) as memory:
        memory.import_file(history_file(), user_id=USER)
        memory.maintain()
    return folder


def first(serving: Serving, tenant: str = "default", user_id: str = "ana") -> Memory:
    """The first that somebody said."""
    with serving.server.tenants.use(tenant) as memory:
        return memory.list(limit=1, user_id=user_id, kinds=["turn"])[0]


class Browser:
    """Reads pages and presses their buttons, without script."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client

    def get(self, path: str, status: int = 200) -> str:
        """A page."""
        answer = self.client.get(path)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
        return answer.text

    def send(self, path: str, page: str, **fields: str) -> httpx2.Response:
        """The form of a page, sent with what is filled in."""
        found = PROOF.search(self.get(page))
        assert found is not None, f"{page} has no form"
        return self.client.post(path, data={"proof": found[1], **fields})

    def ended(self, job: str) -> str:
        """A job's page, once it has ended."""
        for _ in range(600):
            if "data-ended" in (found := self.get(job)):
                return found
            time.sleep(0.05)
        raise AssertionError(f"{job} does not end")


def words(page: str) -> str:
    """A page as it is read: without tags and what they say."""
    return " ".join(unescape(TAGS.sub("", page)).split())


@contextmanager
def browsing(serving: Serving, key: str | None = None) -> Iterator[Browser]:
    """A browser; with a key, signed in."""
    with serving.client() as client:
        if key is not None:
            client.cookies.set(COOKIE, key, path="/ui")
        yield Browser(client)
