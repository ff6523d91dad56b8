"""What a stage's recent lag amounts to."""

from datetime import UTC, datetime, timedelta

import pytest

from consumers.supervision.lag_rules import Limits, Sample, Situation, Verdict, explain, judge

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = Limits(10_000, timedelta(seconds=120))


def samples(*lags: int | None, members: int | None = 1, every: int = 30) -> list[Sample]:
    """Samples with these lags, the last one now."""
    return [
        Sample(NOW - timedelta(seconds=every * (len(lags) - 1 - place)), value, members)
        for place, value in enumerate(lags)
    ]


@pytest.mark.parametrize(
    ("given_samples", "verdict"),
    [
        ([], Verdict.UNKNOWN),
        (samples(0), Verdict.OK),
        (samples(0, 0, 0, 0), Verdict.OK),
        (samples(500, 400, 300, 200), Verdict.CATCHING_UP),
        (samples(500, 400, 300), Verdict.OK),
        (samples(500, 600, 300, 200), Verdict.OK),
        (samples(5, 5, 5), Verdict.OK),
        (samples(5, 5, 5, 5), Verdict.STALLED),
        (samples(5, 6, 6, 9), Verdict.WARN),
        (samples(5, 0, 6, 9), Verdict.OK),
        (samples(0, 0, 0, 7, members=0), Verdict.STOPPED),
        (samples(0, 0, 0, 0, members=0), Verdict.OK),
        (samples(11_000, 11_000, 10_500, 10_400, 10_100, 10_001), Verdict.ALERT),
        (samples(11_000, 11_000, 10_500, 10_400, 10_100), Verdict.CATCHING_UP),
        (samples(11_000, 9_000, 10_500, 10_400, 10_300, 10_200), Verdict.OK),
        (samples(11_000, None, 10_500, None, 10_300, 10_200), Verdict.ALERT),
        (samples(10_000, 9_990, 9_980, 9_970, 9_960, 9_950), Verdict.CATCHING_UP),
        (samples(0, 0, 0, None), Verdict.UNKNOWN),
        ([Sample(NOW - timedelta(seconds=90), 0, 1)], Verdict.UNKNOWN),
    ],
)
def test_verdicts(given_samples, verdict):
    assert judge(given_samples, LIMITS, NOW, Situation()) is verdict


@pytest.mark.parametrize(
    ("given_samples", "situation", "verdict"),
    [
        (samples(0, 0, 0, 93), Situation("paused"), Verdict.PAUSED),
        (samples(0), Situation("paused"), Verdict.PAUSED),
        (samples(93, 93, 93, 93), Situation("paused"), Verdict.PAUSED),
        (samples(11_000, 11_000, 11_000, 11_000, 11_000, 11_000), Situation("paused"), Verdict.ALERT),
        (samples(24, members=None), Situation("stopped"), Verdict.STOPPED),
        (samples(0), Situation("stopped"), Verdict.STOPPED),
        ([], Situation("paused"), Verdict.UNKNOWN),
        (samples(0), Situation(halts=1), Verdict.HALTED),
        ([], Situation("paused", halts=1), Verdict.HALTED),
    ],
)
def test_what_a_stage_should_do_decides_too(given_samples, situation, verdict):
    assert judge(given_samples, LIMITS, NOW, situation) is verdict


@pytest.mark.parametrize(
    ("verdict", "given_samples", "explanation"),
    [
        (Verdict.CATCHING_UP, samples(500, 400, 300, 200), "about 60 s to go"),
        (Verdict.PAUSED, samples(0, 40, 93), "93 waiting, the first seen 30 s before"),
        (Verdict.PAUSED, samples(0), ""),
        (Verdict.STALLED, samples(5, 5, None, 5, 5), "5 waiting, the first seen 120 s before"),
        (Verdict.OK, samples(3, 2), ""),
        (Verdict.UNKNOWN, [], ""),
    ],
)
def test_a_verdict_is_explained_in_numbers(verdict, given_samples, explanation):
    assert explain(verdict, given_samples) == explanation
