"""Lag and verdicts for Datadog, where an agent is configured; alerts are always logged."""

import logging
from functools import cache

from datadog.dogstatsd.base import DogStatsd

from consumers import conf
from consumers.supervision.lag_rules import Verdict

log = logging.getLogger(__name__)

_TYPES = {
    Verdict.OK: "success",
    Verdict.CATCHING_UP: "info",
    Verdict.WARN: "warning",
    Verdict.REWOUND: "warning",
    Verdict.PAUSED: "warning",
    Verdict.UNKNOWN: "warning",
}
_GOOD = (Verdict.OK, Verdict.CATCHING_UP)


@cache
def _statsd() -> DogStatsd | None:
    host, _, port = conf.statsd_address().rpartition(":")
    return DogStatsd(host=host, port=int(port), constant_tags=[f"prefix:{conf.prefix()}"]) if host else None


def gauge(stage: str, lag: int | None) -> None:
    """Send a stage's lag; nothing while it is unknown, so that the monitor sees the gap."""
    if (statsd := _statsd()) and lag is not None:
        statsd.gauge("audit_trail.lag", lag, tags=[f"stage:{stage}"])


def announce_change(stage: str, before: Verdict, after: Verdict, lag: int | None, problem: str) -> None:
    """Log and send that the verdict on a stage has changed, and why its lag is not known, if so; nothing where the
    verdict has not changed.
    """
    if before is after:
        return
    known = f"unknown{problem and f' ({problem})'}" if lag is None else f"{lag:,}"
    text = f"{stage}: {before} → {after}, lag {known}"
    log.log(logging.INFO if after in _GOOD else logging.WARNING, "%s", text)
    if statsd := _statsd():
        statsd.event(
            f"Audit trail: {stage} is {after}", text, alert_type=_TYPES.get(after, "error"), tags=[f"stage:{stage}"]
        )
