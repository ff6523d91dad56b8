"""Moments as whole numbers since an instant, exactly: reckoned from EPOCH, without a float between."""

from datetime import UTC, datetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
