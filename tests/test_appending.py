"""New closes behind stored ones: one vintage, no bar and no event lost; pure."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from quotewell.providers.appending import LONGEST, appended, replaced
from quotewell.records import Closes, DividendEvent, Split


def series(closes: dict[int, float], source: str = "yahoo", **more: Any) -> Closes:
    dates = sorted(closes)
    return Closes(symbol="A", source=source, dates=dates, closes=[closes[day] for day in dates], **more)


@given(st.lists(st.floats(0.01, 1e5), min_size=2, max_size=60), st.data())
def test_day_by_day_in_any_steps_is_the_same_as_all_at_once(closes: list[float], data: st.DataObject) -> None:
    whole = dict(enumerate(closes, start=700_000))
    days = sorted(whole)
    end = data.draw(st.integers(1, len(days)))
    stored = series({day: whole[day] for day in days[:end]})
    while end < len(days):
        first = data.draw(st.integers(0, end - 1))
        end = data.draw(st.integers(end + 1, len(days)))
        new = appended(stored, series({day: whole[day] for day in days[first:end]}))
        assert new is not None
        stored = new
    assert stored == series(whole)


@given(st.floats(0.01, 1e5), st.floats(-0.5, 0.5))
def test_a_difference_in_a_common_day_is_another_vintage(close: float, relative: float) -> None:
    stored = series({1: close, 2: close})
    other = appended(stored, series({2: close * (1 + relative), 3: close}))
    if abs(relative) > 1.1e-6:
        assert other is None
    elif abs(relative) < 0.9e-6:
        assert other is not None


def test_series_that_do_not_meet_or_are_of_two_sources_are_not_joined() -> None:
    stored = series({1: 10.0, 2: 11.0})
    assert appended(stored, series({3: 12.0})) is None
    assert appended(stored, series({2: 11.0, 3: 12.0}, source="files")) is None


def test_a_day_that_the_new_answer_lacks_stays() -> None:
    stored = series({1: 10.0, 2: 11.0, 3: 12.0})
    joined = appended(stored, series({1: 10.0, 3: 12.0, 4: 13.0}))
    assert joined == series({1: 10.0, 2: 11.0, 3: 12.0, 4: 13.0})


def test_no_more_than_the_longest_window_is_kept() -> None:
    stored = series(dict.fromkeys(range(1, LONGEST + 1), 10.0))
    joined = appended(stored, series({LONGEST: 10.0, LONGEST + 1: 11.0}))
    assert joined is not None
    assert (joined.dates[0], joined.dates[-1], len(joined.dates)) == (2, LONGEST + 1, LONGEST)


def test_events_are_merged_by_day_and_dividends_of_another_vintage_dropped() -> None:
    old, new = Split(1, 2.0), Split(3, 5.0)
    paid, again = DividendEvent(1, 0.5, "USD", declared=True), DividendEvent(2, 0.6, "USD", declared=True)
    stored = series({1: 10.0, 2: 11.0}, splits=(old,), dividends=(paid,))
    coming = series({2: 11.0, 3: 12.0}, splits=(new,), dividends=(again,))
    joined = appended(stored, coming)
    assert joined is not None
    assert (joined.splits, joined.dividends) == ((old, new), (paid, again))
    fresh = replaced(stored, series({2: 2.2, 3: 12.0}, splits=(new,), dividends=(again,)))
    assert (fresh.splits, fresh.dividends, fresh.dates) == ((old, new), (again,), [2, 3])


def test_a_dividend_stays_through_a_correction_and_through_a_split_before_it() -> None:
    early, late = DividendEvent(2, 0.5, "USD", declared=True), DividendEvent(4, 0.6, "USD", declared=True)
    stored = series({1: 10.0, 2: 11.0, 3: 12.0, 4: 13.0}, dividends=(early, late))
    corrected = series({1: 10.0, 2: 11.0, 3: 12.5, 4: 13.0})
    assert replaced(stored, corrected).dividends == (early, late)
    assert replaced(
        series({2: 11.0, 3: 12.0}, dividends=(DividendEvent(1, 0.4, "USD", declared=True),)),
        series({2: 11.0, 3: 12.5}),
    ).dividends == (DividendEvent(1, 0.4, "USD", declared=True),)
    split_on_day_3 = series({1: 5.0, 2: 5.5, 3: 12.0, 4: 13.0})
    assert replaced(stored, split_on_day_3).dividends == (late,)
    assert replaced(stored, series({5: 14.0})).dividends == (), "nothing in common tells of a split"


def test_two_dividends_of_a_day_stay_two() -> None:
    regular, special = (
        DividendEvent(2, 0.5, "USD", declared=True),
        DividendEvent(2, 9.0, "USD", declared=True),
    )
    stored = series({1: 10.0, 2: 11.0}, dividends=(regular, special))
    joined = appended(stored, series({2: 11.0, 3: 12.0}))
    assert joined is not None
    assert joined.dividends == (regular, special)
    again = appended(stored, series({2: 11.0, 3: 12.0}, dividends=(special,)))
    assert again is not None
    assert again.dividends == (special,)


class Feed:
    """A provider that adjusts closes and dividends for all splits until it is asked, and corrects closes."""

    FIRST = 700_000

    def __init__(self) -> None:
        self.raw: dict[int, float] = {}
        self.dividends: dict[int, float] = {}
        self.splits: dict[int, float] = {}

    def trade(self, data: st.DataObject, days: int) -> None:
        """Let days pass, some of them ex-dates."""
        for _ in range(days):
            today = self.FIRST + len(self.raw)
            self.raw[today] = data.draw(st.floats(5.0, 500.0))
            if data.draw(st.booleans()):
                self.dividends[today] = data.draw(st.floats(0.1, 1.0))

    def answer(self, since: int, *, events: bool, without: int | None = None) -> Closes:
        """From the day `since` on; `without` one day, which is missing in this very answer."""
        return series(
            {
                day: close / self._shares(day)
                for day, close in self.raw.items()
                if day >= since and day != without
            },
            splits=tuple(Split(day, ratio) for day, ratio in sorted(self.splits.items()) if day >= since)
            if events
            else (),
            dividends=tuple(self.dividend(day) for day in sorted(self.dividends) if day >= since)
            if events
            else (),
        )

    def dividend(self, day: int) -> DividendEvent:
        return DividendEvent(day, self.dividends[day] / self._shares(day), "USD", declared=True)

    def _shares(self, day: int) -> float:
        """Shares of today for one of `day`."""
        shares = 1.0
        for split, ratio in sorted(self.splits.items()):
            if split > day:
                shares *= ratio
        return shares


@given(st.data())
def test_through_days_splits_corrections_and_gaps_the_series_is_of_one_vintage_and_keeps_events(
    data: st.DataObject,
) -> None:
    feed = Feed()
    known_splits: set[int] = set()
    known_dividends: set[int] = set()
    feed.trade(data, data.draw(st.integers(1, 5), label="bars at first"))
    stored = feed.answer(Feed.FIRST, events=False)
    for _ in range(data.draw(st.integers(1, 8), label="answers")):
        last = stored.dates[-1]
        since = data.draw(st.sampled_from(stored.dates[-10:]), label="since")
        split = data.draw(st.sampled_from((None, None, 2.0, 0.1)), label="split")
        # If the very first close is corrected, a dividend of that day may be one of other shares.
        corrected = data.draw(st.sampled_from((None, None, *stored.dates[1:][-10:])), label="corrected")
        feed.trade(data, data.draw(st.integers(0, 4), label="days"))
        today = max(feed.raw)
        if split is not None and today > last:
            feed.splits[today] = split
        if corrected is not None and corrected >= since:
            feed.raw[corrected] *= 1.01
        events = data.draw(st.booleans(), label="events")
        # A day that comes for the first time comes later if it is missing now; a stored one must not go.
        gap = data.draw(
            st.sampled_from((None, *(day for day in feed.raw if since <= day < last))), label="gap"
        )
        if gap == corrected:
            gap = None  # of a close that is not answered nobody can tell that it was corrected
        new = feed.answer(since, events=events, without=gap)
        joined = appended(stored, new) if new.dates else None
        if joined is None:
            new = feed.answer(Feed.FIRST, events=events)
            stored = replaced(stored, new)
            unsplit = {day for day in known_dividends if split is None or today == last or day > today}
            known_dividends = unsplit
            since = Feed.FIRST
        else:
            stored = joined
        if events:
            known_splits |= {day for day in feed.splits if day >= since}
            known_dividends |= {day for day in feed.dividends if day >= since}

        truth = feed.answer(Feed.FIRST, events=True)
        assert stored.dates == truth.dates
        assert all(
            abs(have - true) <= 1.1e-6 * true
            for have, true in zip(stored.closes, truth.closes, strict=True)
        )  # fmt: skip
        assert {event.date for event in stored.splits} == known_splits
        assert known_dividends <= {event.ex_date for event in stored.dividends}
        for event in stored.dividends:
            assert abs(event.amount - feed.dividend(event.ex_date).amount) <= 1e-6
