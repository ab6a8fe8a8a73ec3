"""Counters by day and month."""

from datetime import date

from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.server.statistics import Statistics


def test_a_new_day_and_a_new_month_begin_at_nought_and_the_total_goes_on() -> None:
    now = [date(2026, 1, 30)]
    statistics = Statistics(lambda: now[0])
    statistics.count(Usage(10, 1, cost=5))
    now[0] = date(2026, 1, 31)
    statistics.count(Usage(20, 2))
    today, month, total = statistics.periods
    assert (today.usage.prompt_tokens, month.usage.prompt_tokens, total.usage.prompt_tokens) == (20, 30, 30)
    assert (today.requests, month.requests, total.requests) == (1, 2, 2)
    now[0] = date(2026, 2, 1)
    today, month, total = statistics.periods
    assert (today.requests, month.requests, total.requests) == (0, 0, 2)
    assert total.usage == Usage(30, 3, cost=5)
    now[0] = date(2027, 2, 1)
    statistics.count(None)
    assert [period.requests for period in statistics.periods] == [1, 1, 3]
