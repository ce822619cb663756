"""Who may see and change what in the console: keys, cookies, other sites' pages, and ids of others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from console_pages import PAGES, PROOF, Browser, browsing, first, words
from live_server import Serving, serve

from mnemos.serve.access import Access
from mnemos.serve.server import COOKIE

NOBODY = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
def closed(serving: Serving) -> Serving:
    """A server with keys, and with what Ana and Ben said to it."""
    with serving.server.tenants.use("acme") as memory:
        memory.add("My sister Rita is vegan.", user_id="ana")
        (said,) = memory.add("Ben's door code is in the blue book.", user_id="ben")
        memory.pin(said.id)
    serving.key(scopes=("metrics",))
    return serving


def test_without_a_key_every_page_asks_for_one_and_comes_back(closed: Serving) -> None:
    key = closed.key()
    for path in PAGES:
        sign_in(closed, path, key)


def sign_in(closed: Serving, path: str, key: str) -> None:
    with browsing(closed) as browser:
        asked = browser.client.get(path)
        assert asked.status_code == 303
        assert asked.headers["location"].startswith("/ui/sign-in")
        form = browser.get(asked.headers["location"])
        target = re.findall(r'name="next" value="(.*?)"', form)[0].replace("&amp;", "&")
        assert target == path
        done = browser.send("/ui/sign-in", asked.headers["location"], key=key, next=target)
        assert (done.status_code, done.headers["location"]) == (303, path)
        cookie = done.headers["set-cookie"]
        assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/ui"))
        assert "max-age" not in cookie.lower()


def test_signing_in_and_out(closed: Serving) -> None:
    with browsing(closed) as browser:
        for wrong, status in (("", 401), ("mnemos_x", 401), ("\x00", 401), (closed.key(scopes=("write",)), 403)):
            answer = browser.send("/ui/sign-in", "/ui/sign-in", key=wrong)
            assert answer.status_code == status
            assert "set-cookie" not in answer.headers
        browser.send("/ui/sign-in", "/ui/sign-in", key=f"  {closed.key()} ")
        assert "Memory of" in browser.get("/ui")
        assert browser.send("/ui/sign-out", "/ui").status_code == 303
        assert browser.client.get("/ui").status_code == 303


def test_signing_in_leads_nowhere_else(closed: Serving) -> None:
    key = closed.key()
    with browsing(closed) as browser:
        for target in ("https://evil.example", "//evil.example", "/ui/\\evil", "/uix", "/ui/\r\nSet-Cookie: a=b", ""):
            done = browser.send("/ui/sign-in", "/ui/sign-in", key=key, next=target)
            assert done.headers["location"] == "/ui"
            (cookie,) = done.headers.get_list("set-cookie")
            assert cookie.startswith(COOKIE)


def test_a_key_that_was_revoked_or_is_another_servers_opens_nothing(closed: Serving) -> None:
    key = closed.key()
    with browsing(closed, key) as browser:
        browser.get("/ui")
        closed.server.keys.revoke(key.split("_")[1], closed.server.now())
        assert browser.client.get("/ui").headers["location"] == "/ui/sign-in"


def test_other_sites_pages_change_nothing(closed: Serving) -> None:
    own = f"/ui/memory/{first(closed, 'acme').id}"
    with browsing(closed, closed.key()) as browser, browsing(closed, closed.key()) as other:
        (proof,) = set(PROOF.findall(browser.get(own)))
        (others,) = set(PROOF.findall(other.get(own)))
        sent = [
            browser.client.post(f"{own}/pin"),
            browser.client.post(f"{own}/pin", data={"proof": "0" * 64}),
            browser.client.post(f"{own}/pin", data={"proof": others}),
            browser.client.post(f"{own}/pin", files={"proof": ("proof", proof.encode())}),
            browser.client.post(f"{own}/pin", data={"proof": proof}, headers={"Sec-Fetch-Site": "cross-site"}),
            browser.client.post(f"{own}/pin", data={"proof": proof}, headers={"Sec-Fetch-Site": "same-site"}),
            browser.client.post(f"{own}/pin", data={"proof": proof}, headers={"Origin": "https://evil.example"}),
            browser.client.post(f"{own}/pin", data={"proof": proof}, headers={"Origin": "null"}),
            browser.client.post("/ui/sign-out", data={"proof": others}),
        ]
        assert [answer.status_code for answer in sent] == [403] * len(sent)
        assert not first(closed, "acme").pinned
        fine = browser.client.post(f"{own}/pin", data={"proof": proof}, headers={"Origin": closed.url})
        assert fine.status_code == 303
        assert first(closed, "acme").pinned


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_an_open_server_refuses_strangers(page: Browser, headers: dict[str, str]) -> None:
    answer = page.client.get("/ui", headers=headers)
    assert answer.status_code == 403
    assert "Rita" not in answer.text


def _everything(closed: Serving) -> Access:
    """Somebody whose key is bound to no namespace."""
    return Access(closed.server.tenants, closed.server.desk, "acme", "rest", frozenset(("admin",)))


def test_what_is_anothers_is_as_if_it_did_not_exist(closed: Serving) -> None:
    foreign = first(closed, "acme", "ben").id
    with closed.server.tenants.use("acme") as memory:
        (pinned,) = [change.decision for change in memory.history(foreign) if change.decision]
    own = f"/ui/memory/{first(closed, 'acme').id}"
    with browsing(closed, closed.key(namespaces=[("user", "ana")])) as browser:
        (proof,) = set(PROOF.findall(browser.get(own)))
        job = closed.server.jobs.submit(_everything(closed), "maintain", {}).id
        for path, one in (("/ui/memory/{}", foreign), ("/ui/levels/below?id={}", foreign), ("/ui/jobs/{}", job)):
            there, nowhere = (browser.client.get(path.format(asked)) for asked in (one, NOBODY))
            assert (there.status_code, there.text) == (nowhere.status_code, nowhere.text)
            assert there.status_code == 404
        for change in ("pin", "unpin", "admit", "delete", "undo", "words"):
            fields = {"proof": proof, "text": "changed", "decision": str(pinned)}
            there, nowhere = (
                browser.client.post(f"/ui/memory/{one}/{change}", data=fields) for one in (foreign, NOBODY)
            )
            assert (there.status_code, there.text) == (nowhere.status_code, nowhere.text)
            assert there.status_code == 404
        there, nowhere = (
            browser.client.post(f"{own}/undo", data={"proof": proof, "decision": one}) for one in (str(pinned), NOBODY)
        )
        assert (there.status_code, there.text) == (nowhere.status_code, nowhere.text)
        there, nowhere = (browser.client.get(f"/ui?ns={one}&q=door") for one in ("user/ben", "user/nobody"))
        assert (there.status_code, there.text) == (nowhere.status_code, nowhere.text)
        assert there.status_code == 403
        shown = " ".join(browser.get(path) for path in PAGES)
    assert "ben" not in words(shown).lower()
    assert first(closed, "acme", "ben").pinned


def test_a_key_is_offered_and_allowed_only_what_it_may(closed: Serving) -> None:
    own = f"/ui/memory/{first(closed, 'acme').id}"
    with browsing(closed, closed.key(scopes=("read",))) as reader:
        shown = reader.get(own)
        assert ">Pin<" not in shown
        (proof,) = set(PROOF.findall(shown))
        for path in (f"{own}/pin", f"{own}/delete", f"{own}/words", "/ui/forgetting", "/ui/status/retry", "/ui/import"):
            assert reader.client.post(path, data={"proof": proof, "keep": "0", "text": "x"}).status_code == 403
        assert "Keys of acme" not in reader.get("/ui/status")
        assert "Carry it out" not in reader.get("/ui/forgetting?keep=0")
    with browsing(closed, closed.key(name="<b>admin</b>")) as admin:
        shown = admin.get("/ui/status")
        assert "Keys of acme" in shown
        assert "<b>admin</b>" in words(shown)
        assert "2 namespaces" not in words(shown)


def test_a_reader_with_several_namespaces_goes_from_one_to_another(closed: Serving) -> None:
    with browsing(closed, closed.key()) as browser:
        home = browser.get("/ui")
        assert re.findall(r'<option value="(.*?)"', home)[:2] == ["user/ana", "user/ben"]
        assert "blue book" in browser.get("/ui?ns=user/ben&q=door+code")
        assert "blue book" not in browser.get("/ui?ns=user/ana&q=door+code")
        assert "blue book" not in browser.get("/ui?q=door+code")


def test_too_many_requests_are_told_so_on_a_page(tmp_path: Path) -> None:
    with serve(tmp_path / "data", rate=2) as running, browsing(running, running.key()) as browser:
        answers = [browser.client.get("/ui") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert "<html" in answers[-1].text
