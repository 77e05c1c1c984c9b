"""What a reader has to know of a report's gaps: by kind, the gravest first, with lines of the file."""

from __future__ import annotations

import msgspec

from quotewell.portfolio.importers import RejectedRow
from quotewell.portfolio.problems import ProblemKind
from quotewell.views.content.overview import Overview
from quotewell.views.render.problems import LABELS
from quotewell.views.words import printable

__all__ = ["Issue", "Issues", "issues", "without_options"]


class Issue(msgspec.Struct, frozen=True):
    """One of them."""

    message: str
    line: int | None
    """Of the imported file, counted from 1."""
    text: str = ""
    """The row as it stands in the file, where it could not be read."""


class Issues(msgspec.Struct, frozen=True):
    """Those of one kind."""

    kind: ProblemKind
    label: str
    issues: tuple[Issue, ...]


def issues(shown: Overview) -> tuple[Issues, ...]:
    """All problems of a report, and each row that could not be read as it stands in the file."""
    rows = {_said(row, shown.summary.file): printable(row.text) for row in shown.rejected}
    found = []
    for kind, label in LABELS.items():
        group = tuple(
            Issue(
                printable(problem.message),
                problem.line,
                printable(
                    next((text for said, text in rows.items() if problem.message.startswith(said)), "")
                ),
            )
            for problem in shown.summary.problems
            if problem.kind == kind
        )
        if group:
            found.append(Issues(kind, label, group))
    return tuple(found)


def without_options(message: str) -> str:
    """A problem's message without the clauses that name an option of the command line."""
    return "; ".join(clause for clause in message.split("; ") if " --" not in clause)


def _said(row: RejectedRow, path: str) -> str:
    """How the problem of a rejected row begins."""
    return f"{row.file or path}:{row.line}: {row.reason}"
