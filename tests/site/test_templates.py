"""Templates are read by people too: no length hides in width."""

import pytest

from testkit.paths import ROOT

LONGEST_LINE = 120
TEMPLATES = sorted(
    path.relative_to(ROOT)
    for room in ("audittrail", "auditsite", "consumers", "newsroom")
    for path in (ROOT / room).rglob("*.html")
)


def test_there_are_templates():
    assert len(TEMPLATES) > 20


@pytest.mark.parametrize("template", TEMPLATES, ids=str)
def test_no_line_of_a_template_is_too_long(template):
    lines = (ROOT / template).read_text(encoding="utf-8").splitlines()
    assert [number for number, line in enumerate(lines, start=1) if len(line) > LONGEST_LINE] == []
