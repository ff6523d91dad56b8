"""Topics are made, compared and repaired."""

import uuid

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, and not exported for mypy
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)
from django.core.management import CommandError, call_command

from consumers import conf
from consumers.kafka import clients, topics
from testkit.waiting import until


@pytest.fixture
def own_names(monkeypatch):
    monkeypatch.setenv("AUDIT_PREFIX", f"t{uuid.uuid4().hex[:8]}-")
    monkeypatch.setenv("AUDIT_PARTITIONS", "4")
    yield
    for future in clients.admin().delete_topics([topic.name for topic in wanted()]).values():
        future.exception()  # what was never made need not go


def wanted() -> list[topics.Topic]:
    return topics.wanted(topics.brokers(clients.admin()))


def found() -> list[tuple[str, str, str]]:
    return [
        (difference.topic.name, difference.setting, difference.remedy)
        for difference in topics.differences(clients.admin(), wanted())
    ]


def differs(*expected: tuple) -> None:
    """These differences show, once every broker has heard of them."""

    def shown() -> bool:
        try:
            return found() == list(expected)
        except KafkaException:
            return False

    until(shown, what=f"the differences {expected}")


def settle() -> None:
    topics.repair(clients.admin(), topics.differences(clients.admin(), wanted()))


def missing() -> list[tuple]:
    return [(topic.name, "topic", topics.CREATE) for topic in wanted()]


def test_missing_topics_are_made_as_wanted(own_names):
    differs(*missing())
    settle()
    differs()


def test_a_changed_setting_is_repaired(own_names):
    settle()
    entry = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    for future in (
        clients.admin()
        .incremental_alter_configs([ConfigResource(ResourceType.TOPIC, conf.raw_topic(), incremental_configs=[entry])])
        .values()
    ):
        future.result()
    differs((conf.raw_topic(), "retention.ms", topics.ALTER))

    def settled() -> bool:
        # Again and again, as a broker that has not heard of the change yet sees nothing to repair.
        settle()
        return not found()

    until(settled, what="the setting repaired")


def test_partitions_grow(own_names, monkeypatch):
    settle()
    monkeypatch.setenv("AUDIT_PARTITIONS", "6")
    differs(*((name, "partitions", topics.GROW) for name in (conf.raw_topic(), conf.enriched_topic())))
    settle()
    differs()


def test_what_only_an_operator_can_mend_is_said(own_names, capsys):
    clients.admin().create_topics([NewTopic(conf.raw_topic(), 9, 1)])[conf.raw_topic()].result()
    until(lambda: conf.raw_topic() in clients.admin().list_topics(timeout=10).topics, what="the topic")
    with pytest.raises(CommandError, match="2 difference"):
        call_command("create_topics")
    said = " ".join(capsys.readouterr().out.split())
    assert "partitions cannot shrink" in said and "kafka-reassign-partitions.sh" in said


def test_a_topic_that_only_seemed_to_be_missing_is_compared_all_the_same(own_names):
    seemed = topics.differences(clients.admin(), wanted())
    clients.admin().create_topics([NewTopic(conf.raw_topic(), 9, 3)])[conf.raw_topic()].result()

    left = topics.repair(clients.admin(), seemed)

    assert [(difference.topic.name, difference.setting, difference.remedy) for difference in left] == [
        (conf.raw_topic(), "partitions", topics.NONE)
    ]


def test_check_changes_nothing(own_names):
    with pytest.raises(CommandError, match="3 difference"):
        call_command("create_topics", "--check")
    differs(*missing())


def test_one_broker_gets_one_copy():
    assert {topic.replication for topic in topics.wanted(1)} == {1}
    assert {topic.config["min.insync.replicas"] for topic in topics.wanted(1)} == {"1"}


def test_a_topic_made_anew_has_another_id(own_names):
    settle()
    before = topics.ids(clients.admin(), [conf.raw_topic()])
    clients.admin().delete_topics([conf.raw_topic()])[conf.raw_topic()].result()
    differs(missing()[0])
    settle()
    assert topics.ids(clients.admin(), [conf.raw_topic()]) != before
