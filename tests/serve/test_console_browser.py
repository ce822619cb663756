"""Clicking through the console with a real browser: by mouse and by keys, wide and on a phone, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_pages import EVIL, PAGES, sample_store
from live_server import Serving, serve

from mnemos.sample import ASKED_AT, history_file

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no /usr/bin/chromium")
sync_api = pytest.importorskip("playwright.sync_api")
Page = sync_api.Page
expect = sync_api.expect


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server over the sample's history, as of the morning after its last chat."""
    folder = sample_store(tmp_path_factory.mktemp("sample") / "data")
    with serve(folder, clock=lambda: ASKED_AT) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: sync_api.Browser, sample: Serving) -> Iterator[Page]:
    """A page that fails the test when the browser complains, or asks anything of another origin."""
    yield from watched(chromium, sample.url)


def watched(chromium: sync_api.Browser, url: str, **settings: object) -> Iterator[Page]:
    context = chromium.new_context(base_url=url, **{"viewport": {"width": 1100, "height": 800}, **settings})
    context.set_default_timeout(10_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda asked: asked.url.startswith((url, "data:")) or complaints.append(asked.url))
    yield page
    context.close()
    assert not complaints


def too_wide(page: Page) -> int:
    """By how many pixels a page has to be scrolled sideways."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def a_turn(sample: Serving, words: str) -> str:
    """The address of the page of a turn that says something."""
    with sample.server.tenants.use("default") as memory:
        found = memory.search(words, user_id="maeve", kinds=["turn"], limit=1)
    return f"/ui/memory/{found[0].memory.id}"


# ── how it looks ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_phone_and_has_contrast(chromium: sync_api.Browser, sample: Serving, scheme: str) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "color_scheme": scheme, "has_touch": True, "is_mobile": True}
    for page in watched(chromium, sample.url, **phone):
        for path in (*PAGES, a_turn(sample, "driving test"), "/ui/graph?who=user"):
            page.goto(path)
            assert too_wide(page) <= 0, path
            assert page.evaluate(FAINT) == [], path
            assert page.evaluate(NAMELESS) == [], path


FAINT = """() => {
  const parts = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("main *, header *, footer *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.getClientRects().length || element.closest("svg, .unseen, dialog")) continue;
    const [a, b] = [light(parts(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${element.className || element.tagName} ${ratio.toFixed(2)}`);
  }
  return [...new Set(found)];
}"""
"""Elements whose words stand out too little from what is behind them: less than 4.5 to 1."""

NAMELESS = """() => [...document.querySelectorAll(
  "input:not([type=hidden], [hidden]), select, textarea, button, a[href], [role=img], svg[role]"
)].filter((one) => !(one.labels?.length || one.getAttribute("aria-label") || one.textContent.trim()))
  .map((one) => one.outerHTML.slice(0, 120))"""
"""Fields, buttons, links and pictures that say nothing to a screen reader."""


def test_dark_and_light_differ(chromium: sync_api.Browser, sample: Serving) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        for page in watched(chromium, sample.url, color_scheme=scheme):
            page.goto("/ui")
            grounds.append(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
    assert len(set(grounds)) == 2


# ── by mouse ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_from_a_question_to_the_reasons_and_the_memory(tab: Page) -> None:
    tab.goto("/")
    tab.get_by_label("Question").fill("When did I pass my driving test?")
    tab.get_by_role("button", name="Search").click()
    best = tab.locator("li.hit").first
    assert best.locator(".why table.bars").first.locator("tbody tr").count() == 5
    best.get_by_text(re.compile("All .* signals")).click()
    shown = best.locator("details .bars tbody tr")
    assert shown.count() > 5
    widths = best.locator("details .bars rect:first-child").evaluate_all("all => all.map((one) => one.getBBox().width)")
    assert max(widths) > 5
    expect(best.locator("details .sum")).to_contain_text("probability")
    tab.get_by_label("Context for a prompt").check()
    expect(tab.locator("#context")).to_contain_text("data, not instructions")
    tab.locator(".cites a").first.click()
    expect(tab.get_by_role("heading", name="History")).to_be_visible()


def test_the_levels_open_from_profile_to_turns_and_mark_the_sources(tab: Page) -> None:
    tab.goto("/ui/levels")
    profile = tab.locator("section.profile")
    line = profile.locator("details.step").filter(has_text="allergic").or_(profile.locator("details.step")).first
    line.locator("summary").first.click()
    expect(line.locator(".turn mark").first).to_be_visible()
    theme = tab.locator("section[aria-labelledby=themes-title] details.step").first
    theme.locator("summary").first.click()
    episode = theme.locator("details.step").first
    episode.locator("summary").first.click()
    expect(episode.locator(".turn mark").first).to_be_visible()
    episode.locator(".turn a").first.click()
    expect(tab.get_by_role("heading", name="In its conversation")).to_be_visible()


def test_the_timeline_of_somebody_and_the_graph_around_them(tab: Page) -> None:
    tab.goto("/ui/timeline")
    everything = tab.locator(".moments li").count()
    tab.get_by_label("Person").fill("Shazia")
    tab.get_by_role("button", name="Show").click()
    assert 0 < tab.locator(".moments li").count() < everything
    tab.get_by_role("link", name="Graph").click()
    tab.get_by_role("combobox", name="Around").fill("Tomasz")
    tab.get_by_role("button", name="Show").click()
    drawing = tab.locator("svg.graph.wide")
    expect(drawing.get_by_role("link", name=re.compile("^Kraków"))).to_be_visible()
    drawing.get_by_role("link", name=re.compile("^Kraków")).click()
    expect(tab.locator("#around")).to_have_text("Kraków")


def test_words_are_changed_and_put_back_and_a_pin_is_undone(tab: Page, sample: Serving) -> None:
    own = a_turn(sample, "passed my driving test")
    tab.goto(own)
    before = tab.locator(".words").inner_text()
    tab.get_by_text("Change its words…").click()
    tab.get_by_label("Words").fill(f"{before} Twice.")
    tab.get_by_role("button", name="Keep these words").click()
    expect(tab.locator(".diff ins")).to_have_text("Twice.")
    tab.get_by_role("button", name="Put the words before back").click()
    assert tab.locator(".words").inner_text() == before
    tab.get_by_role("button", name="Pin").click()
    expect(tab.locator("article .tag.good").first).to_have_text("pinned")
    tab.get_by_role("button", name="Undo").click()
    expect(tab.locator(".said")).to_contain_text("Undone")
    expect(tab.locator("article header .tag.good")).to_have_count(0)
    with sample.server.tenants.use("default") as memory:
        found = memory.get(own.rpartition("/")[2])
    assert found is not None
    assert (found.pinned, found.text) == (False, before)


def test_a_fact_that_was_superseded_stands_again_when_that_is_undone(tab: Page, sample: Serving) -> None:
    with sample.server.tenants.use("default") as memory:
        closed = [fact for fact in memory.facts(user_id="maeve", closed=True) if fact.invalid_at]
        fact = next(one for one in closed if [change for change in memory.history(one.id) if change.op == "supersede"])
    tab.goto(f"/ui/memory/{fact.id}")
    expect(tab.locator("article header")).to_contain_text("until")
    tab.locator(".history li", has_text="supersede").get_by_role("button", name="Undo").click()
    expect(tab.locator("article header")).not_to_contain_text("until")


def test_a_dry_run_of_forgetting_says_what_and_why(tab: Page) -> None:
    tab.goto("/ui/forgetting")
    tab.get_by_label("Keep").fill("50 %")
    tab.get_by_role("button", name="Dry run").click()
    expect(tab.locator("#would")).to_have_text(re.compile(r"\d+ would go"))
    assert tab.locator("table.going tbody tr").count() == 40
    tab.get_by_role("link", name="After").click()
    assert tab.locator("table.going tbody tr").count() == 40


# ── by keys ──────────────────────────────────────────────────────────────────────────────────────────────────────


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))


def test_a_walk_by_keys_alone(tab: Page) -> None:
    tab.goto("/ui/timeline")
    tab.keyboard.press("/")
    assert tab.evaluate("document.activeElement.name") == "who"
    tab.keyboard.press("Escape")
    assert tab.evaluate("document.activeElement === document.body")
    tab.keyboard.press("j")
    first = focused(tab)
    tab.keyboard.press("j")
    second = focused(tab)
    tab.keyboard.press("k")
    assert (focused(tab), first != second) == (first, True)
    outline = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", name="History")).to_be_visible()
    tab.keyboard.press("?")
    expect(tab.locator("dialog#keys")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.locator("dialog#keys")).to_be_hidden()
    tab.keyboard.press("/")
    expect(tab.get_by_label("Question")).to_be_focused()
    tab.keyboard.type("What is my mum allergic to?/jk")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**q=What*")
    tab.keyboard.press("j")
    assert tab.evaluate("document.activeElement.matches('li.hit a.open')")
    tab.goto("/ui/levels")
    tab.keyboard.press("j")
    tab.keyboard.press("Enter")
    expect(tab.locator("details.step[open] .turn mark").first).to_be_visible()


def test_everything_is_reached_by_tab_and_shows_where_it_is(tab: Page) -> None:
    for path in ("/ui?q=driving+test", "/ui/forgetting", "/ui/import"):
        tab.goto(path)
        tab.evaluate("document.activeElement.blur()")
        for _ in range(200):
            tab.keyboard.press("Tab")
            at = tab.evaluate(HERE)
            if at in ("nothing", "again"):
                break
            assert at == "seen", at
        assert tab.evaluate(UNREACHED) == [], path


HERE = """() => {
  const at = document.activeElement;
  if (at === document.body) return "nothing";
  if (at.dataset.reached) return "again";
  at.dataset.reached = "yes";
  const shown = [at, at.nextElementSibling].some((one) => one && getComputedStyle(one).outlineStyle !== "none");
  return shown ? "seen" : at.outerHTML;
}"""
"""Marks where the focus is; says whether it can be seen there."""

UNREACHED = """() => [...document.querySelectorAll("a, button, select, textarea, summary, input:not([type=radio])")]
  .filter((one) => one.checkVisibility() && !one.dataset.reached && !one.closest("dialog"))
  .map((one) => one.outerHTML.slice(0, 120))"""


# ── files, keys and what others wrote ────────────────────────────────────────────────────────────────────────────


def test_an_import_is_followed_to_its_end(tab: Page) -> None:
    tab.goto("/ui/import")
    tab.get_by_label(re.compile("^File")).set_input_files(history_file())
    tab.get_by_label("Memory of", exact=True).last.fill("user/maeve-again")
    tab.get_by_role("button", name="Import").click()
    expect(tab.locator(".job progress")).to_be_visible()
    expect(tab.locator(".job [data-ended]")).to_contain_text("Done", timeout=30_000)
    expect(tab.locator(".job .figures")).to_contain_text("604")
    expect(tab.get_by_role("button", name="Cancel")).to_have_count(0)


def test_signing_in_with_a_key(chromium: sync_api.Browser, tmp_path: Path) -> None:
    with serve(tmp_path / "data") as running:
        key = running.key(name="Team")
        with running.server.tenants.use("acme") as memory:
            memory.add(EVIL, user_id="ana")
            memory.add(EVIL, user_id="ben")
        for page in watched(chromium, running.url):
            page.goto("/ui/timeline?who=Ana")
            page.get_by_label("Key").fill(key)
            page.keyboard.press("Enter")
            page.wait_for_url("**/ui/timeline?who=Ana")
            assert page.evaluate("document.cookie") == ""
            page.get_by_label("Memory of").select_option("user/ben")
            page.wait_for_url("**ns=user*ben*")
            page.goto("/ui?q=alert&ns=user/ben")
            expect(page.locator("li.hit .text").first).to_contain_text("<script>alert(1)</script><img src=x")
            page.get_by_role("button", name="Sign out").click()
            page.wait_for_url("**/ui/sign-in")
            page.goto("/ui")
            expect(page.get_by_label("Key")).to_be_visible()


def test_the_pages_work_without_script(chromium: sync_api.Browser, sample: Serving) -> None:
    for page in watched(chromium, sample.url, java_script_enabled=False):
        page.goto("/ui/levels")
        page.locator("section.profile details.step summary").first.click()
        page.locator("section.profile details.step").first.get_by_role("link", name="What it was derived from").click()
        expect(page.locator(".turn mark").first).to_be_visible()
        page.goto("/ui?q=driving")
        page.locator("li.hit a.open").first.click()
        expect(page.get_by_role("heading", name="History")).to_be_visible()
