"""Who a logged-in user is in the audit trail."""

from django.contrib.auth.base_user import AbstractBaseUser

from audittrail import Actor
from newsroom.models import Author


def author_actor(author: Author) -> Actor:
    return Actor("user", f"newsroom.author:{author.pk}")


def actor_of_user(user: AbstractBaseUser) -> Actor:
    """The actor of the user's author, with desk and role; the user's own where no author is attached."""
    author = Author.objects.filter(user_id=user.pk).only("pk").first()
    return author_actor(author) if author else Actor("user", f"auth.user:{user.pk}")
