"""The site is migrated from nothing by roles of its own names, and its check finds nothing, through the pool."""

import pytest

pytestmark = pytest.mark.service


def test_migrate_makes_a_site_from_nothing(unmigrated_site):
    migrated = unmigrated_site.manage("migrate", "--verbosity", "0")
    assert (migrated.returncode, migrated.stdout) == (0, "")


def test_check_through_the_pool_finds_nothing_wrong(site):
    checked = site.manage("check", "--database", "default")
    assert checked.stdout == "System check identified no issues (0 silenced).\n"
