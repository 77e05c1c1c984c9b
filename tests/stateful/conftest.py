"""The same examples whatever else the tests have imported, so that a run can be repeated."""

from __future__ import annotations

import pytest
from hypothesis.internal.conjecture import providers
from hypothesis.internal.conjecture.providers import Constants  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _no_constants_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypothesis would mix in the numbers that it finds in the source of all modules that are loaded."""
    monkeypatch.setattr(providers, "_get_local_constants", Constants)
    providers.CONSTANTS_CACHE.cache.clear()
