"""docs/rights.md says who may do what as the code grants it."""

from collections.abc import Iterator

from audittrail.capture import rights
from audittrail.capture.rights import Privileges, Rights
from testkit.paths import ROOT

PAGE = ROOT / "docs" / "rights.md"


def words(granted: Privileges) -> str:
    """As the page has it: `SELECT`, `UPDATE` of columns."""
    columns: dict[str, list[str]] = {}
    for privilege, column in sorted(granted):
        columns.setdefault(privilege, []).extend([f"`{column}`"] if column else [])
    return ", ".join(f"{name} of {', '.join(of)}" if of else name for name, of in columns.items()) or "–"


def table(listed: dict[str, Rights]) -> Iterator[str]:
    for name, each in sorted(listed.items()):
        yield f"| `{name}` | {words(each.site)} | {words(each.pipeline)} |"


def test_the_page_has_every_right():
    rows = {
        *table(rights.listed_tables()),
        *table(rights.listed_functions()),
        f"| every other table | {words(rights.OF_THE_SITE.site)} | {words(rights.OF_THE_SITE.pipeline)} |",
    }
    page = {line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(("| `", "| every"))}
    assert page == rows
