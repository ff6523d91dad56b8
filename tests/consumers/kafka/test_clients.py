"""Every client of Kafka is made by the one factory, so that each has the measured settings."""

import re

from testkit.paths import ROOT

_CONSTRUCTED = re.compile(r"\b(Consumer|Producer|AdminClient|Serializing\w+|Deserializing\w+)\(")
_FACTORY = ROOT / "consumers" / "kafka" / "clients.py"


def test_no_module_but_the_factory_makes_clients():
    modules = (path for package in ("audittrail", "consumers") for path in (ROOT / package).rglob("*.py"))
    others = [
        path
        for path in modules
        if path != _FACTORY
        and "confluent_kafka" in (text := path.read_text())
        and any(_CONSTRUCTED.search(line) and not line.startswith("class ") for line in text.splitlines())
    ]
    assert others == []
