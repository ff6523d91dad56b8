"""What an editor reads of an article's history: pages of events, their gaps and runs, and the article as it was."""

from audittrail.timeline.gaps import GapCause, gap_causes

__all__ = ["GapCause", "gap_causes"]
