"""The dashboard in a browser, from the form to networks that run; one run is looked at by all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from haq.data import normalise
from haq.data.fashion_mnist import load_sample
from quant.ncnn.runtime import Engine, capabilities
from tests.api.pages.served import ADMIN_KEY, Served, browser, serve

EPISODES, IMAGES = 120, 40
LONG_MS = 900_000
COUNT = "#trials-count"
BAD = {"serious", "critical"}
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def served(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with serve(folder / "data") as found:
        yield found


@pytest.fixture(scope="module")
def page(chromium: Browser, served: Served) -> Page:
    """Signed in, by way of the form that asks for a key."""
    found = chromium.new_context(base_url=served.address).new_page()
    found.set_default_timeout(LONG_MS)
    found.goto("/boards")
    found.get_by_label("Key").fill(ADMIN_KEY)
    found.get_by_role("button", name="Sign in").click()
    found.wait_for_url("**/boards")
    return found


@pytest.fixture(scope="module")
def run(page: Page, served: Served) -> str:
    """A search that was begun by the form, watched, lost its worker, and came to its end."""
    begin(page)
    watch(page)
    page.reload()
    served.kill_worker()
    expect(page.locator("#history")).to_contain_text("taken up again", timeout=LONG_MS)
    expect(page.locator("#state .state")).to_contain_text("✓ done", timeout=LONG_MS)
    return page.url


@pytest.fixture(scope="module")
def addresses(run: str) -> dict[str, str]:
    """Every page by name."""
    search_id = run.rpartition("/")[2]
    policies = "&".join(f"policy={search_id}:{episode}" for episode in (1, 2))
    return {
        "runs": "/",
        "run": run,
        "top-1": f"{run}?y=top1&sort=top1&descending=true",
        "trial": f"{run}/trials/2",
        "policies": f"/compare?{policies}",
        "how to compare": "/compare",
        "boards": "/boards",
        "form": "/new",
        "keys": "/keys",
        "sign in": "/login",
        "problem": "/runs/none",
    }


def begin(page: Page) -> None:
    """A search for size on a few of the packaged images, typed into the form."""
    page.goto("/new")
    page.get_by_label("Data set", exact=True).select_option("sample")
    page.get_by_label("Rows of the data set").fill(f"0-{IMAGES - 1}")
    page.get_by_label("Size of the weights").fill("0.5x")
    page.get_by_label("Episodes").fill(str(EPISODES))
    page.get_by_label("Bits to choose from").fill("8,32")
    page.get_by_label("Agent").select_option("random")
    page.get_by_label("Quantizer").select_option("naive")
    page.get_by_role("button", name="Start the search").click()
    page.wait_for_url("**/runs/*")


def watch(page: Page) -> None:
    """Trials come in while nobody loads the page."""
    page.evaluate("window.untouched = true")
    expect(page.locator(COUNT)).not_to_have_text("0", timeout=LONG_MS)
    first = page.locator(COUNT).inner_text()
    expect(page.locator(COUNT)).not_to_have_text(first, timeout=LONG_MS)
    assert page.evaluate("window.untouched") is True


def test_a_run_that_lost_its_worker_has_all_its_trials(page: Page, run: str) -> None:
    page.goto(run)
    expect(page.locator(COUNT)).to_have_text(str(EPISODES))
    expect(page.locator("#front-part")).to_contain_text("uniform 8")
    assert page.locator("#curves svg").count() == 2


def test_a_policy_is_opened_and_compared(page: Page, run: str) -> None:
    page.goto(run)
    page.locator("#trials tbody a").first.click()
    expect(page.locator("svg[aria-labelledby=bits-title] rect")).not_to_have_count(0)
    page.go_back()
    for box in page.locator("#trials input[type=checkbox]").all()[:2]:
        box.check()
    page.get_by_role("button", name="Compare the chosen").click()
    expect(page.locator("h1")).to_have_text("2 policies, layer by layer")


def test_the_networks_that_are_fetched_run(page: Page, run: str, tmp_path: Path) -> None:
    page.goto(run)
    param, weights = (fetch(page, f"mbv2.ncnn.{kind}", tmp_path) for kind in ("param", "bin"))
    image = load_sample("test").rows(0, 0)
    logits = Engine(param, weights, capabilities().bits16).run(normalise(image.pixels)[0])
    assert logits.shape == (10,)
    assert np.isfinite(logits).all()
    assert logits.argmax() == image.labels[0]


def fetch(page: Page, name: str, folder: Path) -> Path:
    """A file of a run, as its link gives it."""
    with page.expect_download() as download:
        page.get_by_role("link", name=name, exact=True).click()
    download.value.save_as(folder / name)
    return folder / name


def test_a_size_out_of_reach_is_refused_and_nothing_typed_is_lost(page: Page, run: str) -> None:
    page.goto("/new")
    page.get_by_label("Size of the weights").fill("0.1x")
    page.get_by_label("Seed").fill("17")
    page.get_by_role("button", name="Start the search").click()
    expect(page.get_by_role("alert")).to_contain_text("the least reachable is")
    expect(page.get_by_label("Seed")).to_have_value("17")


@pytest.mark.parametrize("scheme", get_args(Scheme))
def test_nothing_serious_keeps_anybody_out(
    page: Page, addresses: dict[str, str], scheme: Scheme
) -> None:
    page.emulate_media(color_scheme=scheme)
    for name, address in addresses.items():
        page.goto(address)
        open_all(page)
        found = Axe().run(page).response["violations"]
        bad = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in BAD]
        assert not bad, name


def test_a_telephone_shows_all_pages(page: Page, addresses: dict[str, str]) -> None:
    for width in (375, 360):
        page.set_viewport_size({"width": width, "height": 700})
        for name, address in addresses.items():
            page.goto(address)
            open_all(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def open_all(page: Page) -> None:
    """Show what is folded."""
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")


def test_the_form_is_filled_in_by_keyboard_alone(page: Page, run: str) -> None:
    page.goto("/new")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = [tab(page)]
    while reached[-1] != "Start the search":
        reached.append(tab(page))
    controls = page.locator("form.ask :is(input:not([type=hidden]), select)").all()
    names = [control.get_attribute("name") or "" for control in controls]
    assert reached[-len(names) - 1 : -1] == names


def tab(page: Page) -> str:
    """The name of the next control, or what it says."""
    page.keyboard.press("Tab")
    found: str = page.evaluate(
        "document.activeElement.name || document.activeElement.textContent.trim()"
    )
    return found


def test_pages_are_whole_without_script(
    chromium: Browser, served: Served, page: Page, run: str
) -> None:
    kept = page.context.storage_state()
    context = chromium.new_context(java_script_enabled=False, storage_state=kept)
    plain = context.new_page()
    plain.goto(run)
    assert plain.locator("svg").count() == 4
    expect(plain.locator(COUNT)).to_have_text(str(EPISODES))
    plain.get_by_role("button", name="Clone").click()
    expect(plain.get_by_label("Episodes")).to_have_value(str(EPISODES))
    context.close()
