"""What the programming interface to the consumers takes and gives."""

from typing import Any

from rest_framework import serializers

from consumers.models import DeadLetter
from consumers.runtime.stage_spec import MOST_PROCESSES
from consumers.supervision import control


class MemberSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    host = serializers.CharField()
    partitions = serializers.ListField(child=serializers.ListField())


class PlaceSerializer(serializers.Serializer[Any]):
    lag = serializers.IntegerField(allow_null=True)
    position = serializers.IntegerField(
        allow_null=True, help_text="The offset committed; of the outbox, the number of batches published."
    )


class GroupSerializer(serializers.Serializer[Any]):
    lag = serializers.IntegerField(allow_null=True)
    unknown_partitions = serializers.IntegerField()
    partitions = serializers.DictField(child=PlaceSerializer(), help_text="By name: content-audit-trail/3, or outbox.")
    state = serializers.CharField(allow_null=True)
    members = MemberSerializer(many=True)


class HaltSerializer(serializers.Serializer[Any]):
    topic = serializers.CharField()
    topic_id = serializers.CharField()
    partition = serializers.IntegerField()
    first_offset = serializers.IntegerField()
    last_offset = serializers.IntegerField(help_text="Of the batch that waits; a release names it.")
    records = serializers.IntegerField()
    rejected = serializers.IntegerField()
    reason = serializers.CharField()


class ProcessSerializer(serializers.Serializer[Any]):
    slot = serializers.IntegerField()
    host = serializers.CharField()
    pid = serializers.IntegerField()
    state = serializers.CharField()
    reason = serializers.CharField()
    partitions = serializers.IntegerField()
    processed = serializers.IntegerField()
    dead_letters = serializers.IntegerField()
    halts = HaltSerializer(many=True, help_text="Partitions that it reads no further until they are released.")
    silent_seconds = serializers.FloatField()
    alive = serializers.BooleanField()


class StageSerializer(serializers.Serializer[Any]):
    stage = serializers.CharField()
    desired_state = serializers.CharField()
    desired_processes = serializers.IntegerField()
    observed_state = serializers.CharField()
    as_desired = serializers.BooleanField()
    reason = serializers.CharField()
    lag = serializers.IntegerField(
        allow_null=True, help_text="Messages still to be read; null where it cannot be told."
    )
    verdict = serializers.CharField()
    explanation = serializers.CharField(
        help_text="The verdict in numbers: what waits since when, or how long it takes."
    )
    group = serializers.CharField(allow_null=True)
    view = GroupSerializer(help_text="As Kafka sees it.")
    processes = ProcessSerializer(many=True)


class StatusSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    kafka_problem = serializers.CharField(help_text="Why Kafka could not be asked; empty when it could.")
    stages = StageSerializer(many=True)


class ActionSerializer(serializers.Serializer[Any]):
    action = serializers.ChoiceField(choices=list(control.ACTIONS))
    processes = serializers.IntegerField(required=False, min_value=1, max_value=MOST_PROCESSES, help_text="For scale.")


class ReleaseSerializer(serializers.Serializer[Any]):
    topic = serializers.CharField()
    partition = serializers.IntegerField(min_value=0)
    last_offset = serializers.IntegerField(min_value=0, help_text="Of the batch that waits, as the halt says.")


class DeadLetterSerializer(serializers.ModelSerializer[DeadLetter]):
    replayable = serializers.SerializerMethodField()

    class Meta:
        model = DeadLetter
        exclude = ("key", "value", "headers")

    def get_replayable(self, letter: DeadLetter) -> bool:
        return letter.is_replayable


class ReplaySerializer(serializers.Serializer[Any]):
    ids = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=1000)
    dry_run = serializers.BooleanField(default=False, help_text="Only say how many could be put back.")
