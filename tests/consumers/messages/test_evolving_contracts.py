"""The guide to a new optional field, followed step by step."""

import json
import re
import shutil

from confluent_kafka.schema_registry import topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from django.core.management import call_command

from audittrail import contracts
from audittrail.archive import format
from consumers import conf
from consumers.kafka import schema_registry
from consumers.stages import enricher
from consumers.stages.enrichment import enrichment
from testkit.consumers.contract_files import forget
from testkit.consumers.running import put_events, raw, running
from testkit.consumers.witness import committed
from testkit.paths import ROOT
from testkit.waiting import until

GUIDE = (ROOT / "docs" / "evolving-contracts.md").read_text()


def _follow(folder) -> str:
    """Steps 1 to 3 as the guide says them; the name of the new field."""
    ((old, new),) = re.findall(r"`(content[\w.-]+\.avsc)`, to the next number, `(content[\w.-]+\.avsc)`", GUIDE)
    assert old == f"{contracts.ENRICHED}.v{contracts.latest(contracts.ENRICHED)}.avsc", (
        "the guide begins with the newest version"
    )
    shutil.copy(folder / old, folder / new)
    schema = json.loads((folder / new).read_text()) | json.loads(
        "{" + re.findall(r'"x-contract-version": \d+', GUIDE)[0] + "}"
    )
    field = json.loads(re.findall(r"```json\n(.*?)```", GUIDE, re.S)[0])
    schema["fields"].append(field)
    (folder / new).write_text(json.dumps(schema))
    forget()
    commands = re.findall(r"^ +python manage.py (.+)$", GUIDE, re.M)
    assert commands[0] == "register_schemas --check"
    for command in commands[1:]:
        call_command(*command.split())
    return field["name"]


def test_a_newer_contract_with_an_optional_field_takes_a_registration(own_trail, contract_files, monkeypatch):
    name = _follow(contract_files.folder)
    monkeypatch.setattr(enricher, "enrichment", lambda event, profile: enrichment(event, profile) | {name: 4})

    put_events([raw(1)])
    with running(enricher.Enricher()):
        (message,) = until(lambda: committed(conf.enriched_topic()), what="the enriched event")

    deserialise = AvroDeserializer(
        schema_registry.client(), conf={"subject.name.strategy": topic_subject_name_strategy}
    )
    outside = deserialise(message.value(), SerializationContext(message.topic(), MessageField.VALUE))
    assert (outside[name], outside["schema_version"]) == (4, contracts.latest(contracts.ENRICHED))
    assert (name, "int32") in [
        (column, str(type))
        for column, type in format.columns_of(
            contracts.schema(contracts.ENRICHED, contracts.latest(contracts.ENRICHED))
        )
    ]
