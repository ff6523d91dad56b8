"""manage.py document_contracts"""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audittrail import contracts
from audittrail.contracts import documentation


class Command(BaseCommand):
    help = "Writes docs/contracts/*.md from the contract files and their examples."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="write nothing; exit status 1 if a page is not what the files say"
        )

    def handle(self, *, check: bool, **options: object) -> None:
        pages = {folder() / f"{contract}.md": documentation.page(contract) for contract in contracts.contracts()}
        stale = [path for path, text in pages.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
        if check and stale:
            names = ", ".join(path.name for path in stale)
            raise CommandError(f"{names}: not what the contracts say. Run manage.py document_contracts.")
        for path in stale:
            path.write_text(pages[path], encoding="utf-8")
            self.stdout.write(self.style.SUCCESS(f"{path.relative_to(settings.BASE_DIR)}: written"))
        if not stale:
            self.stdout.write(f"{len(pages)} pages, as they should be.")


def folder() -> Path:
    """The folder of the pages."""
    return Path(settings.BASE_DIR) / "docs" / "contracts"
