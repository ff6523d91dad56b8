"""Verification by itself: what was captured lately every few minutes, everything once a day."""

import logging

from celery import shared_task

from audittrail.integrity.report import VerificationReport
from audittrail.integrity.verify import verify

log = logging.getLogger(__name__)


@shared_task
def verify_recent() -> bool:
    """The events captured since the last verification, in the database."""
    return _log_findings(verify(incremental=True))


@shared_task
def verify_all() -> bool:
    """Every event in every store."""
    return _log_findings(verify())


def _log_findings(report: VerificationReport) -> bool:
    for finding in report.findings:
        log.error(
            "%s: %s %s %s: %s", finding.store, finding.kind, finding.article_id, finding.sequence or "", finding.detail
        )
    return report.complete
