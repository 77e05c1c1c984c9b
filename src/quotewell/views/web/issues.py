"""The sheet of what is missing, disputed or assumed, with lines of the file."""

from __future__ import annotations

from quotewell.views.content.issues import issues, without_options
from quotewell.views.content.overview import Overview
from quotewell.views.web.elements import SheetDialog, box, text

__all__ = ["IssueSheet"]


class IssueSheet:
    """The sheet."""

    def __init__(self) -> None:
        self._sheet = SheetDialog("Problems", side=True)
        with self._sheet:
            self._list = box("div", "issues")

    def open(self) -> None:
        """Show it."""
        self._sheet.open()

    def show(self, shown: Overview) -> None:
        """Fill it anew, the gravest first."""
        self._list.clear()
        groups = issues(shown)
        with self._list:
            if not groups:
                text("Nothing is missing, disputed or assumed.", "p")
            for group in groups:
                text(f"{group.label} ({len(group.issues)})", "h3")
                with box("ul"):
                    for issue in group.issues:
                        with box("li"):
                            if issue.line is not None:
                                text(f"line {issue.line}", "span", "line")
                            text(without_options(issue.message), "span")
                            if issue.text:
                                text(issue.text, "code")
