"""The console over HTTP: what its pages say, and what their buttons do."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest
from console_pages import PAGES, PROOF, Browser, browsing, first, words
from live_server import Serving

from mnemos.sample import history_file

# ── every page ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_root_leads_to_the_console(page: Browser) -> None:
    answer = page.client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/ui")
    assert "What do you want to remember?" in page.get("/ui")


def test_every_page_is_strict_about_where_things_come_from(page: Browser) -> None:
    for path in (*PAGES, "/ui/nowhere", "/ui/memory/nothing", "/ui/timeline?since=never"):
        check_headers(page.client.get(path))


def check_headers(answer: httpx2.Response) -> None:
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?! type=\"module\" src=\"/ui/)|<style| on\w+=| style=|https?://(?!127)", answer.text)


def test_files_are_kept_by_browsers_until_they_change(page: Browser) -> None:
    for name, media_type in (("css", "text/css"), ("js", "text/javascript"), ("svg", "image/svg+xml")):
        (address,) = set(re.findall(rf"/ui/static/[^\"]*\.{name}", page.get("/ui")))
        answer = page.client.get(address)
        assert answer.headers["content-type"].startswith(media_type)
        assert "immutable" in answer.headers["cache-control"]
    assert page.client.get("/ui/static/0/secrets.db").status_code == 404


def test_pages_are_no_part_of_the_api(page: Browser) -> None:
    assert not [path for path in page.client.get("/openapi.json").json()["paths"] if path.startswith("/ui")]


def number(shown: str) -> float:
    return float(shown.replace("−", "-"))


# ── what the pages say ───────────────────────────────────────────────────────────────────────────────────────────


def test_search_says_why(page: Browser) -> None:
    found = page.get("/ui?q=Who+is+vegan%3F")
    assert "My sister Rita is vegan." in words(found)
    best = found.partition('class="hit"')[2].partition('class="hit"')[0]
    (every,) = re.findall(r"Every signal.*?</table>", best, re.S)
    (base,), (logit,) = re.findall(r"starts from <b>(.*?)</b>", best), re.findall(r"comes to <b>(.*?)</b>", best)
    parts = [number(value) for value in re.findall(r'<td class="(?:plus|minus)">(.*?)</td>', every)]
    assert len(parts) > 3
    assert sum(parts) + number(base) == pytest.approx(number(logit), abs=0.01 * len(parts))


def test_search_can_be_narrowed_and_paged(page: Browser) -> None:
    assert "York" not in words(page.get("/ui?q=Where+do+I+live&until=2026-01-31"))
    assert "York" in words(page.get("/ui?q=Where+do+I+live&since=2026-01-31"))
    assert "1 memory, best first" in words(page.get("/ui?q=Rita&kind=turn&until=2026-01-05"))
    assert "Nothing here answers that" in page.get("/ui?q=Rita&trust=1&until=2020-01-01")
    page.get("/ui?q=Rita&page=7")


def test_the_context_is_what_a_prompt_would_get(page: Browser, serving: Serving) -> None:
    with serving.server.tenants.use("default") as memory:
        wanted = memory.context("Who is vegan?", budget=200, user_id="ana")
    shown = page.get("/ui?q=Who+is+vegan%3F&show=context&budget=200")
    assert " ".join(wanted.text.split()) in words(shown)
    assert f"{wanted.tokens} of 200 tokens" in words(shown)


def test_levels_are_opened_down_to_the_words_that_were_said(page: Browser, serving: Serving) -> None:
    levels = page.get("/ui/levels")
    assert "York" in words(levels)
    step = re.findall(r'data-below="(/ui/levels/below[^"]*)"', levels)
    assert step
    part = page.client.get(step[0].replace("&amp;", "&"), headers={"X-Part": "1"}).text
    assert "<html" not in part
    assert "<mark>" in part
    whole = page.get(step[0].replace("&amp;", "&"))
    assert "<mark>" in whole
    assert "<html" in whole


def test_the_timeline_and_the_graph_tell_what_the_library_tells(page: Browser, serving: Serving) -> None:
    with serving.server.tenants.use("default") as memory:
        moments = memory.timeline(user_id="ana")
        around = memory.graph("user", user_id="ana")
    told = words(page.get("/ui/timeline"))
    assert moments
    assert all(moment.text in told and moment.day in told for moment in moments)
    drawn = words(page.get("/ui/graph?who=user"))
    assert {node.name for node in around.nodes if node.name in drawn} == {node.name for node in around.nodes}
    assert "Nothing is known around Nobody" in words(page.get("/ui/graph?who=Nobody"))


def test_an_empty_store_has_pages_too(serving: Serving) -> None:
    with browsing(serving) as browser:
        for path in PAGES:
            browser.get(path)


# ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_words_are_changed_compared_and_put_back(page: Browser, serving: Serving) -> None:
    own = f"/ui/memory/{first(serving).id}"
    said = page.send(f"{own}/words", own, text="My sister Rita is a vegetarian.\r\nSince May.")
    assert said.status_code == 303
    changed = page.get(said.headers["location"])
    assert "<del> vegan</del><ins> a vegetarian" in changed
    assert first(serving).text == "My sister Rita is a vegetarian.\nSince May."
    assert first(serving).channel == "console"
    page.send(f"{own}/words", own, version="1")
    assert first(serving).text == "My sister Rita is vegan."
    assert page.send(f"{own}/words", own, version="9").status_code == 404
    assert page.send(f"{own}/words", own, text="  ").status_code == 422


def test_what_was_decided_is_undone_for_good(page: Browser, serving: Serving) -> None:
    with serving.server.tenants.use("default") as memory:
        (past,) = [fact for fact in memory.facts(user_id="ana", closed=True) if fact.invalid_at]
        (decided,) = [change for change in memory.history(past.id) if change.op == "supersede"]
    own = f"/ui/memory/{past.id}"
    before = page.get(own)
    assert "until 2026-02-28" in words(before)
    assert decided.decision in before
    said = page.send(f"{own}/undo", own, decision=decided.decision or "")
    after = page.get(said.headers["location"])
    assert "Undone, for good" in after
    assert "until 2026-02-28" not in words(after).partition("History")[0]
    with serving.server.tenants.use("default") as memory:
        memory.maintain()
        assert all(fact.invalid_at is None for fact in memory.facts(user_id="ana", closed=True))


def test_pinning_admitting_and_deleting(page: Browser, serving: Serving) -> None:
    own = f"/ui/memory/{first(serving).id}"
    page.send(f"{own}/pin", own)
    assert first(serving).pinned
    page.send(f"{own}/unpin", own)
    assert not first(serving).pinned
    begun = page.send("/ui/forgetting", "/ui/forgetting?keep=0", keep="0", policy="salience")
    assert "Done" in page.ended(begun.headers["location"])
    assert first(serving).resting
    page.send(f"{own}/admit", own)
    assert first(serving).resting is None
    assert page.send(f"{own}/explode", own).status_code == 404
    page.send(f"{own}/delete", own)
    gone = page.get(own)
    assert "This memory is gone" in gone
    assert "Rita" not in gone


def test_a_file_is_imported_and_its_progress_told(page: Browser) -> None:
    proof = PROOF.findall(page.get("/ui/import"))[0]
    told = {"proof": proof, "whose": "user/maeve", "format": "", "timezone": "", "date_order": ""}
    with history_file().open("rb") as file:
        begun = page.client.post("/ui/import", data=told, files={"file": ("conversations.json", file)})
    assert begun.status_code == 303, words(begun.text)
    part = page.client.get(begun.headers["location"], headers={"X-Part": "1"}).text
    assert "<html" not in part
    done = page.ended(begun.headers["location"])
    assert "<dd>604</dd>" in done
    assert "<dd>chatgpt</dd>" in done
    assert "604 added" in words(page.get("/ui/import"))
    assert "user/maeve" in page.get("/ui")


def test_a_file_that_cannot_be_imported_says_why(page: Browser, serving: Serving) -> None:
    proof = PROOF.findall(page.get("/ui/import"))[0]
    line = b'{"role": "user", "content": "a"}\n'

    def send(content: bytes, **fields: str) -> httpx2.Response:
        told = {"proof": proof, "whose": "user/ana", **fields}
        return page.client.post("/ui/import", data=told, files={"file": ("<b>.json", content)})

    for refused, field in (
        (send(b"\x00\x01"), "file"),
        (send(line, timezone="Mars/Olympus"), "timezone"),
        (send(line, date_order="sideways"), "date_order"),
        (send(line, format="papyrus"), "format"),
        (page.client.post("/ui/import", files={"proof": (None, proof)}), "file"),
    ):
        assert refused.status_code == 422
        assert field in words(refused.text)
        assert "<b>" not in refused.text
    assert send(line, proof="0" * 64).status_code == 403
    assert not [*(serving.server.settings.folder / "uploads").glob("*")]


def test_a_dry_run_changes_nothing(page: Browser, serving: Serving) -> None:
    shown = words(page.get("/ui/forgetting?keep=1"))
    assert "2 would go" in shown
    with serving.server.tenants.use("default") as memory:
        assert not [one for one in memory.list(user_id="ana", kinds=["turn"]) if one.resting]
    for keep in ("many", "1.5", "-1", "300 %", "nan", "1e999"):
        assert page.client.get("/ui/forgetting", params={"keep": keep}).status_code == 422
    assert page.client.get("/ui/forgetting", params={"keep": "1", "policy": "chance"}).status_code == 422


def test_what_has_failed_can_be_tried_again(page: Browser) -> None:
    assert "Nothing has." in page.get("/ui/status")
    assert page.send("/ui/status/retry", "/ui/forgetting?keep=1", job="1").status_code == 404
    assert page.send("/ui/status/retry", "/ui/forgetting?keep=1", job="x").status_code == 422


# ── the documents ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_pictures_in_the_documents_are_those_that_are_taken_and_small() -> None:
    docs = Path(__file__).parents[2] / "docs"
    shown = set(re.findall(r"console-\w+\.png", (docs / "console.md").read_text(encoding="utf-8")))
    sizes = {picture.name: picture.stat().st_size for picture in docs.glob("console-*.png")}
    assert sizes.keys() == shown
    assert max(sizes.values()) <= 150_000
