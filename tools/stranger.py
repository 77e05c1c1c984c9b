"""What a stranger does first, timed: clone, `make demo`, a file of one's own, the page in a browser.

`python tools/stranger.py FILE [AS-OF] > protocol.txt`, with a broker's export. It clones this checkout, asks
the package index, and needs Debian's `chromium`; the page's picture stays in the folder that is named.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PORT = 8399
PAGE = f"http://127.0.0.1:{PORT}/"
LINES = 14
"""Of a command's output that are shown."""
PATIENCE = 60.0
"""Seconds to wait for the page."""


def main(file: Path, as_of: str | None) -> int:
    """Run all steps; return the exit code."""
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="stranger-"))
    clone = folder / "quotewell"
    past = "" if as_of is None else f" --as-of {as_of}"
    step(f"git clone --quiet {ROOT} quotewell", folder)
    step("make demo", clone)
    step(f".venv/bin/quotewell import {file} --check", clone)
    step(f".venv/bin/quotewell summary {file} --offline{past}", clone)
    step(".venv/bin/pip install --quiet -c constraints.txt '.[web]'", clone)
    serve = f".venv/bin/quotewell serve {file} --offline --port {PORT}"
    print(f"$ {serve} &")
    started = time.monotonic()
    with subprocess.Popen(  # noqa: S603  our own command
        shlex.split(serve), cwd=clone
    ) as server:
        try:
            wait_for_page(started)
            print(f"  answers after {time.monotonic() - started:.1f} s\n")
            picture = folder / "page.png"
            photograph(picture)
            print(f"  {picture}: drawn {time.monotonic() - started:.1f} s after the start")
        finally:
            server.terminate()
    print(f"\nfrom clone to page: {time.monotonic() - begun:.0f} s")
    return 0


def step(command: str, folder: Path, *, lines: int = LINES) -> None:
    """Run a command in a folder and show it, its first lines and its seconds; end where it fails."""
    print(f"$ {command}")
    begun = time.monotonic()
    ran = subprocess.run(  # noqa: S603  one of the commands above
        shlex.split(command), cwd=folder, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - begun
    shown = ran.stdout.splitlines()
    print("\n".join(f"  {line}" for line in shown[:lines]))
    if len(shown) > lines > 0:
        print(f"  … {len(shown) - lines} more lines")
    print(f"  [{seconds:.1f} s, exit code {ran.returncode}]\n", flush=True)
    if ran.returncode != 0:
        print(ran.stderr)
        raise SystemExit(1)


def photograph(picture: Path) -> None:
    """Take a picture of the page as soon as its charts and its table are drawn."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 1500})
        page.goto(PAGE)
        page.locator("canvas").first.wait_for()
        page.locator("tbody tr:visible").first.wait_for()
        page.screenshot(path=picture)
        browser.close()


def wait_for_page(started: float) -> None:
    """Until the page is answered.

    Raises:
        SystemExit: It is not in a minute.
    """
    while time.monotonic() - started < PATIENCE:
        try:
            with urllib.request.urlopen(PAGE, timeout=5.0):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    print("the page does not answer")
    raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2] if len(sys.argv) > 2 else None))
