"""What a stage's recent lag amounts to."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.supervision.lag_rules import Judgement, Limits, Place, Sample, Situation, Verdict, judge

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = Limits(10_000, timedelta(seconds=120), timedelta(seconds=45))


def samples(*lags: int | None, members: int | None = 1, every: int = 30) -> list[Sample]:
    """Samples of a stage of one partition with these lags, the last one now; where the lag is another, something has
    been read.
    """
    positions = accumulate((None not in pair and pair[0] != pair[1] for pair in pairwise(lags)), initial=0)
    return [
        Sample(_at(len(lags), place, every), lag, members, {"t/0": Place(lag, position)})
        for place, (lag, position) in enumerate(zip(lags, positions, strict=True))
    ]


def partitions(**places: Sequence[tuple[int | None, int | None]]) -> list[Sample]:
    """Samples every 10 s of a stage of several partitions, each with its lags and positions; the last one now."""
    count = len(next(iter(places.values())))
    return [
        Sample(_at(count, step, every=10), _total([steps[step][0] for steps in places.values()]), 1, named)
        for step in range(count)
        for named in [{name: Place(*steps[step]) for name, steps in places.items()}]
    ]


def _at(count: int, place: int, every: int) -> datetime:
    return NOW - timedelta(seconds=every * (count - 1 - place))


def _total(lags: list[int | None]) -> int | None:
    known = [lag for lag in lags if lag is not None]
    return sum(known) if len(known) == len(lags) else None


FLOWING = [(0, 100), (2, 110), (0, 130), (1, 140), (0, 150), (3, 160)]


@pytest.mark.parametrize(
    ("given_samples", "verdict"),
    [
        ([], Verdict.UNKNOWN),
        (samples(0), Verdict.OK),
        (samples(0, 0, 0, 0), Verdict.OK),
        (samples(500, 400, 300, 200), Verdict.CATCHING_UP),
        (samples(0, 9_000, 9_500, 400, 300, 200, 100), Verdict.CATCHING_UP),
        (samples(500, 400, 300), Verdict.OK),
        (samples(500, 600, 300, 200), Verdict.OK),
        (samples(5, 5, 5), Verdict.OK),
        (samples(5, 5, 5, 5), Verdict.STALLED),
        (samples(5, 5, 5, 5, every=10), Verdict.OK),
        (samples(5, 6, 6, 9), Verdict.WARN),
        (samples(5, 6, 6, 9, every=10), Verdict.OK),
        (samples(5, 0, 6, 9), Verdict.OK),
        (samples(0, 0, 0, 7, members=0), Verdict.STOPPED),
        (samples(0, 0, 0, 0, members=0), Verdict.OK),
        (samples(11_000, 11_000, 10_500, 10_400, 10_100, 10_001), Verdict.ALERT),
        (samples(11_000, 11_000, 10_500, 10_400, 10_100), Verdict.CATCHING_UP),
        (samples(11_000, 9_000, 10_500, 10_400, 10_300, 10_200), Verdict.CATCHING_UP),
        (samples(11_000, None, 10_500, None, 10_300, 10_200), Verdict.ALERT),
        (samples(10_000, 9_990, 9_980, 9_970, 9_960, 9_950), Verdict.CATCHING_UP),
        (samples(0, 0, 0, None), Verdict.UNKNOWN),
        ([Sample(NOW - timedelta(seconds=90), 0, 1)], Verdict.UNKNOWN),
    ],
)
def test_verdicts(given_samples, verdict):
    assert judge(given_samples, LIMITS, NOW, Situation()).verdict is verdict


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [
        ([(500, 1_000)] * 6, Verdict.STALLED),
        ([(500 + 10 * step, 1_000) for step in range(6)], Verdict.STALLED),
        ([(500, None)] * 6, Verdict.STALLED),
        ([(500, 1_000 + 100 * step) for step in range(6)], Verdict.OK),
        ([(500 + 10 * step, 1_000 + 5 * step) for step in range(7)], Verdict.WARN),
        ([(500 - 10 * step, 1_000 + 10 * step) for step in range(6)], Verdict.CATCHING_UP),
        ([(0, 2_000), (0, 2_000), (1_500, 500), (1_400, 600), (1_300, 700), (1_200, 800)], Verdict.REWOUND),
        ([(0, 2_000), (2_000, None), (1_400, 600), (0, 2_000), (0, 2_000), (0, 2_000)], Verdict.REWOUND),
        ([(500, 2_000)] + [(500, 1_000)] * 6, Verdict.STALLED),
    ],
)
def test_one_partition_among_others_decides(steps, verdict):
    others = [FLOWING[step % len(FLOWING)] for step in range(len(steps))]
    others = [(lag, 100 * step) for step, (lag, _) in enumerate(others)]
    assert judge(partitions(a=others, b=steps, c=others), LIMITS, NOW, Situation()).verdict is verdict


def test_a_partition_that_is_known_again_is_judged_by_what_is_known():
    steps = [(500, 1_000), (None, None), (500, 1_000), (500, 1_000), (500, 1_000), (500, 1_000)]
    assert judge(partitions(a=steps), LIMITS, NOW, Situation()).verdict is Verdict.STALLED


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
    assert judge(given_samples, LIMITS, NOW, situation).verdict is verdict


@pytest.mark.parametrize(
    ("given_samples", "situation", "explanation"),
    [
        (samples(500, 400, 300, 200), Situation(), "about 60 s to go"),
        (samples(0, 40, 93), Situation("paused"), "93 waiting, the first seen 30 s before"),
        (samples(0), Situation("paused"), ""),
        (samples(5, 5, None, 5, 5), Situation(), "t/0: 5 waiting, none read for 120 s"),
        (samples(5, 6, 6, 9), Situation(), "t/0: 4 more waiting than 90 s before"),
        (samples(3, 2), Situation(), ""),
        (samples(*[11_000] * 6), Situation(), "11,000 waiting, the first seen 150 s before"),
        ([], Situation(), "no sample of the last 5 minutes: do Celery's worker and beat run?"),
        (
            [Sample(NOW - timedelta(seconds=90), 0, 1)],
            Situation(),
            "the last sample is 90 s old: do Celery's worker and beat run?",
        ),
        ([Sample(NOW, None, None, problem="Kafka cannot be asked: x")], Situation(), "Kafka cannot be asked: x"),
        (samples(None), Situation(), "the lag of some partitions is not known"),
    ],
)
def test_a_verdict_is_explained(given_samples, situation, explanation):
    assert judge(given_samples, LIMITS, NOW, situation).explanation == explanation


STEPS = st.lists(st.tuples(st.integers(0, 3) | st.none(), st.integers(0, 3) | st.none()), min_size=6, max_size=6)


@given(st.dictionaries(st.sampled_from("abcd"), STEPS, min_size=1))
def test_a_stage_is_as_bad_as_its_worst_partition(places):
    alone = [judge(partitions(**{name: steps}), LIMITS, NOW, Situation()).verdict for name, steps in places.items()]
    assert judge(partitions(**places), LIMITS, NOW, Situation()).verdict is max(alone, key=list(Verdict).index)


def test_of_equal_verdicts_the_heavier_is_told():
    steps = {
        name: [(lag - 10 * step, 1_000 + 10 * step) for step in range(6)]
        for name, lag in (("a", 60), ("b", 900), ("c", 100))
    }
    assert judge(partitions(**steps), LIMITS, NOW, Situation()) == Judgement(
        Verdict.CATCHING_UP, "about 850 s to go", 850
    )


def test_where_a_partition_was_set_back_is_told_and_by_how_much():
    found = judge(
        partitions(a=FLOWING, b=[(0, 500), (0, 500), (480, 20), (0, 500)] + [(0, 500)] * 2), LIMITS, NOW, Situation()
    )
    assert found == Judgement(Verdict.REWOUND, "b was set back by 480", 480)
