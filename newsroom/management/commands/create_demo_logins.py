"""manage.py create_demo_logins: logins to try the site with; may be run again."""

from django.core.management.base import BaseCommand

from newsroom.demo import LOGINS, create_logins


class Command(BaseCommand):
    help = "Create the demo logins and their roles, and print them. Never on a site that strangers can reach."

    def handle(self, **options: object) -> None:
        create_logins()
        for login in LOGINS:
            self.stdout.write(f"{login.username:<16} {login.password:<22} {login.can}")
