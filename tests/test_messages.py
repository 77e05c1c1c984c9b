"""The words of all messages, and the page that lists them.

`WRITE_DOCS=1 pytest tests/test_messages.py` writes `docs/messages.md`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from message_list import Message, messages

PAGE = Path(__file__).parents[1] / "docs" / "messages.md"
ALL = messages()
HEADER = """# Messages

What quotewell says when something is wrong, found in its source; a test compares. `…` stands for what
differs from case to case. Search for some words of the message you have; most end with what to do, in
parentheses.
"""
SECTIONS = {
    "usage": """## Wrong usage, wrong settings

Exit code 2; `UsageError` or `SymbolError` in a program. Nothing was done. The message begins with the option,
the setting or the file that is meant; [settings](settings.md) lists all settings, `quotewell COMMAND --help`
all options.""",
    "import": """## A file that is not read

Exit code 1; `ImportFailed` in a program. The message begins with the file. [Brokers' files](brokers.md) says
which export each broker has, and how a table of your own is read.""",
    "row": """## A row that is rejected

The other rows are read. Each rejected row is listed with its line among the problems of a report, and by
`quotewell import FILE`; it is in no sum, and `--strict` exits with 3. Mend the row, or export again.""",
    "problem": """## Problems of a report

The report is made, and says what it leaves out or rests on. With `--json` each has a `kind`
([which](json.md#problem)). An option in the message says how to give what is missing;
[overrides](overrides.md) give it for good.""",
    "unavailable": """## No value

`n/a` on the screen; `DataUnavailable` in a program, which begins with the symbol and the facet.
`quotewell explain SYMBOL` shows what is known, and when it is asked for again.""",
    "provider": """## A provider that fails

Stands beside a value that could not be fetched; what was cached is served marked `~`. Most pass by
themselves: the next run asks again, after a 429 when the pause is over (`quotewell doctor` tells).
[Reliability](reliability.md) has what each failure does.""",
    "cache": """## The cache is out of order

One warning; the service goes on with what it has, and tries again every few seconds. Only what cannot be
done without it fails (`CacheError`, exit code 1). `quotewell cache path` says where it is, `quotewell doctor`
what is wrong.""",
    "stale": """## A stale value

Once a symbol; `StaleDataWarning` in a program. `max_age=` refuses such values.""",
    "http": """## Over HTTP

The body of a 4xx or 5xx of [the API](api.md), beside those above.""",
}
"""Group to the title of its section, and what to do about its messages."""
FORBIDDEN = re.compile(
    r"\b(?i:invalid|illegal|bad|outdated|please|sorry|oops|unexpected|nonetype)\b"
    r"|\btickers?\b(?! service| source|=)|\b(?:dict|str|None)\b|persistent level|\$\.|\[Errno"
)


def page(found: list[Message]) -> str:
    sections = [HEADER]
    for group, advice in SECTIONS.items():
        shown = dict.fromkeys((one.text, one.hint) for one in found if one.group == group)
        rows = "\n".join(f"| {_cell(text)} | {_cell(hint)} |" for text, hint in sorted(shown, key=_sorted))
        sections.append(f"{advice}\n\n| Message | What to do |\n|---|---|\n{rows}\n")
    return "\n".join(sections)


def _cell(text: str) -> str:
    shown = text.removeprefix("…") if text.startswith("……") or text[1:2].isalpha() else text
    return f"`{shown}`".replace("|", "\\|") if text.strip("… ") else ""


def _sorted(message: tuple[str, str]) -> str:
    return message[0].lstrip("… :[].-").lower()


def test_the_page_lists_every_message() -> None:
    assert {one.group for one in ALL} == set(SECTIONS)
    text = page(ALL)
    if "WRITE_DOCS" in os.environ:
        PAGE.write_text(text, "utf-8")
    assert PAGE.read_text("utf-8") == text


@pytest.mark.parametrize(
    "message", ALL, ids=lambda one: f"{one.file}:{one.line}" if isinstance(one, Message) else ""
)
def test_a_message_is_in_our_words(message: Message) -> None:
    assert not FORBIDDEN.search(f"{message.text} ({message.hint})")
    for text in filter(None, (message.text, message.hint)):
        assert not text.endswith((".", "!")) or text.endswith(" .")
        assert "\n" not in text
        first = text.split()[0]
        assert not (first.istitle() and first.isalpha() and len(first) > 1) or first in PROPER


PROPER = {"Portfolio", "Authorization", "Too"}
"""What begins with a capital letter all the same: code, a header, what Yahoo says."""


def test_every_file_that_is_not_read_has_advice() -> None:
    # `TooLarge` becomes an `ImportFailed` with one.
    without = [one for one in ALL if one.group == "import" and not one.hint]
    assert {one.file.rpartition("/")[2] for one in without} <= {"sheet.py", "workbook.py"}


def test_a_forbidden_word_is_seen() -> None:
    for text in ("invalid symbol", "no such ticker", "a setting at `$.rate`"):
        assert FORBIDDEN.search(text)
    assert not FORBIDDEN.search("the ticker service is closed")
