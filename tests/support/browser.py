"""Headless Chromium for tests and benchmarks: one way to start it, to wait, and to keep what it shows."""

import base64
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SCREENSHOTS = os.environ.get("HPSEARCH_SCREENSHOTS")
DESKTOP, PHONE = 1280, 390
FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
]
NEEDED = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not on the PATH"),
]


@contextmanager
def chromium(profile, *flags):
    """A browser with an empty profile that remembers what pages log."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, *flags, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def load(chrome, path, width=DESKTOP, scheme="light"):
    """Open a page of ours and wait until every figure that can be seen is drawn."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    colours(chrome, scheme)
    chrome.get(path.as_uri())
    wait(chrome, "return document.documentElement.dataset.drawn === 'true'")


def colours(chrome, scheme):
    """Prefer light or dark pages."""
    preference = {"name": "prefers-color-scheme", "value": scheme}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [preference]})


def wait(chrome, script, seconds=60.0):
    """Wait until a script returns something true, and return it."""
    end = time.monotonic() + seconds
    while not (found := chrome.execute_script(script)):
        assert time.monotonic() < end, f"not within {seconds} s: {script}"
        time.sleep(0.05)
    return found


def errors(chrome):
    """What the console holds of errors and warnings."""
    return [entry for entry in chrome.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def keep(chrome, name):
    """Keep a screenshot of the whole page, where a folder for them is named."""
    if not SCREENSHOTS:
        return
    width, height = chrome.execute_script("return [innerWidth, document.documentElement.scrollHeight]")
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, 6000), "scale": 1}
    shot = chrome.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    _write(f"{name}.png", shot["data"])


def keep_paper(chrome, name):
    """Return the page as it prints on A4, as a PDF, and keep it where a folder is named."""
    paper = {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": True}
    return _write(f"{name}.pdf", chrome.execute_cdp_cmd("Page.printToPDF", paper)["data"])


def _write(name, data):
    content = base64.b64decode(data)
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        Path(SCREENSHOTS, name).write_bytes(content)
    return content
