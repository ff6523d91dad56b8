"""Who looks at consumers and steers them: a plugin of pytest."""

import pytest
from django.contrib.auth.models import Permission, User


@pytest.fixture
def boss(fresh_database: str) -> User:
    """May do everything."""
    return User.objects.create_superuser("boss", "", "secret")


@pytest.fixture
def auditor(fresh_database: str) -> User:
    """May look, and not touch."""
    user = User.objects.create_user("auditor", "", "secret", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_stagecontrol"))
    return user
