"""A producer adds a required field without a default: it is refused everywhere, and nothing is lost or stuck."""

import json

import pytest
from confluent_kafka.schema_registry.error import SchemaRegistryError
from django.core.management import CommandError, call_command

from audittrail import contracts
from consumers import conf
from consumers.kafka import schema_registry
from newsroom.models import Article
from testkit.consumers.relaying import relaying
from testkit.consumers.witness import captured, faults, pending, published, some_articles
from testkit.waiting import until

NEXT = contracts.latest(contracts.RAW) + 1
REQUIRED = {"name": "legal_review", "type": "string", "doc": "Who reviewed it."}
OPTIONAL = {"name": "embargo", "type": ["null", "string"], "default": None, "doc": "When it may appear."}


def test_a_required_field_is_refused_by_field_and_rule(own_trail, contract_files, capsys):
    contract_files.add(contracts.RAW, REQUIRED)

    for arguments in (["--check"], []):
        with pytest.raises(
            CommandError, match=f"v{NEXT} cannot read what v1 wrote: legal_review: reader_field_missing_default_value"
        ):
            call_command("register_schemas", *arguments)
    assert "registered, id" not in capsys.readouterr().out


def test_the_registry_refuses_it_too(own_trail, contract_files):
    contract_files.add(contracts.RAW, REQUIRED)

    with pytest.raises(SchemaRegistryError) as refusal:
        schema_registry.client().register_schema(
            conf.subject(conf.raw_topic()), schema_registry.schema_of(contracts.RAW, NEXT)
        )
    assert refusal.value.http_status_code == 409


def test_a_relay_deployed_with_it_waits_and_publishes_all_after_the_way_back(own_trail, contract_files):
    articles = some_articles(5)
    file = contract_files.add(contracts.RAW, REQUIRED)
    with relaying() as lanes:
        until(lambda: all(lane.report.state == "waiting" for lane in lanes), what="waiting lanes")
        missing = f"{conf.subject(conf.raw_topic())} has no version {NEXT} in the schema registry"
        assert {lane.report.reason for lane in lanes} == {f"{missing}: run manage.py register_schemas"}
        Article.objects.filter(pk=articles[0].pk).update(headline="Changed meanwhile")
        assert pending() == 6
        contract_files.remove(file)
        until(lambda: not pending(), what="a drained outbox")

    assert faults(published(), captured()) == {"lost": 0, "doubled": 0, "disordered": 0}


def test_an_optional_field_is_shown_as_planned_and_registered_once(own_trail, contract_files, capsys):
    contract_files.add(contracts.RAW, OPTIONAL)
    subject = conf.subject(conf.raw_topic())

    with pytest.raises(CommandError, match=r"1 version.* not registered"):
        call_command("register_schemas", "--check")
    assert f"{subject} version {NEXT}: to be registered" in capsys.readouterr().out
    call_command("register_schemas")
    call_command("register_schemas", "--check")
    assert schema_registry.client().get_versions(subject) == list(range(1, NEXT + 1))


def test_a_json_contract_that_the_registry_refuses_is_told_with_what_differs(own_trail, contract_files):
    schema = json.loads(contracts.text(contracts.DEAD_LETTERS, 1)) | {"x-contract-version": 2}
    schema["properties"]["severity"] = {"type": "string"}
    schema["required"].append("severity")
    contract_files.add_text(contracts.DEAD_LETTERS, json.dumps(schema))

    with pytest.raises(CommandError, match='/required with "severity"'):
        call_command("register_schemas", "--check")
    with pytest.raises(CommandError, match="required property"):
        call_command("register_schemas")


def test_the_registry_keeps_its_rule_for_every_subject(own_trail):
    for topic in (conf.raw_topic(), conf.enriched_topic(), conf.dead_letter_topic()):
        assert schema_registry.client().get_config(conf.subject(topic)).compatibility_level == "BACKWARD_TRANSITIVE"
