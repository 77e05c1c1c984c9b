"""Draw the demo's report as it stands in a terminal of 100 columns: `python tools/make_screenshot.py`."""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from quotewell.views.cli.main import main

_PICTURE = Path(__file__).parent.parent / "docs" / "summary.svg"
_COLUMNS = 100


def draw() -> None:
    """Run the demo, and keep its coloured output as a picture."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"QUOTEWELL_CACHE_DIR": folder, "COLUMNS": str(_COLUMNS), "FORCE_COLOR": "1"}
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            main(["demo"])
    console = Console(width=_COLUMNS, record=True, file=io.StringIO())
    console.print(Text.from_ansi(output.getvalue()), no_wrap=True)
    picture = console.export_svg(title="quotewell demo", theme=MONOKAI)
    # The reader's own fonts: a picture must not load anything from elsewhere.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    _PICTURE.write_text(picture.replace("Fira Code", "DejaVu Sans Mono"), encoding="utf-8")


if __name__ == "__main__":
    draw()
