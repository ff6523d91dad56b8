"""A step of a restore that cannot be done is not passed over as if it were."""

from datetime import UTC, datetime

import pytest

from audittrail.integrity.restore import Step
from consumers.operations import restoring


@pytest.mark.parametrize("action", ["create", "close", "index", "overwrite"])
def test_a_step_without_what_its_action_needs_is_refused(action):
    step = Step("archive", action, "newsroom.article:1", 3, "database")
    with pytest.raises(ValueError, match=rf"{action} newsroom.article:1 #3 lacks"):
        restoring.carry_out([step], datetime.now(UTC), lambda done: None)
