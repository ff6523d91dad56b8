"""Django's own test runner makes the site's test database, and flushes it after each TransactionTestCase."""

import pytest

pytestmark = [pytest.mark.service, pytest.mark.slow]


def test_django_s_own_runner_passes_tests_that_roll_back_and_tests_that_commit(unmigrated_site):
    tested = unmigrated_site.manage("test", "tests.stranger.site.press", "--noinput")
    assert tested.returncode == 0, tested.stdout
    assert "Ran 3 tests" in tested.stdout
