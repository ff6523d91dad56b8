"""Events as JSON: the names of the Avro contract, bytes as hex, times in ISO 8601 with microseconds and zone."""

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from audittrail import tracking
from audittrail.events.event import (
    ENRICHED_FIELDS,
    ActorProfile,
    AmendmentMark,
    Change,
    EditRecord,
    EventActor,
    EventContext,
    Keyframe,
    PayloadReference,
)
from audittrail.events.field_check import require_same_fields
from audittrail.models import AuditEvent, Head
from audittrail.search.queries import Hit


@extend_schema_field(OpenApiTypes.STR)
class HexField(serializers.Field[bytes, str, str, bytes]):
    """Bytes as lower-case hex."""

    def to_representation(self, value: bytes | memoryview) -> str:
        return bytes(value).hex()


class MomentField(serializers.DateTimeField):
    """A time in UTC, always with six decimals."""

    def to_representation(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class ProfileSerializer(serializers.Serializer[AuditEvent]):
    """Who an actor was at the time."""

    name = serializers.CharField(source="actor_name")
    byline = serializers.CharField(source="actor_byline")
    role = serializers.CharField(source="actor_role")
    desk = serializers.CharField(source="actor_desk")


class ActorSerializer(serializers.Serializer[AuditEvent]):
    type = serializers.CharField(source="actor_type", help_text="user, service, system or unknown")
    id = serializers.CharField(source="actor_id", allow_null=True)
    version = serializers.IntegerField(source="actor_version", allow_null=True)
    snapshot = ProfileSerializer(
        default=None, allow_null=True, help_text="Always null at rest: what it said is in actor_profile"
    )


class ContextSerializer(serializers.Serializer[EventContext]):
    request_id = serializers.CharField(default=None, allow_null=True)
    correlation_id = serializers.CharField(default=None, allow_null=True)
    ip = serializers.CharField(default=None, allow_null=True)
    user_agent = serializers.CharField(default=None, allow_null=True)
    channel = serializers.CharField(default=None, allow_null=True)


class EditSerializer(serializers.Serializer[EditRecord]):
    position = serializers.IntegerField(help_text="Code points from the start of the text before")
    removed = serializers.CharField(allow_blank=True)
    inserted = serializers.CharField(allow_blank=True)


class ChangeSerializer(serializers.Serializer[Change]):
    field = serializers.CharField()
    kind = serializers.ChoiceField(["scalar", "text", "relation"])
    before = serializers.CharField(default=None, allow_null=True)
    after = serializers.CharField(default=None, allow_null=True)
    before_ids = serializers.ListField(child=serializers.CharField(), default=None, allow_null=True)
    after_ids = serializers.ListField(child=serializers.CharField(), default=None, allow_null=True)
    edits = EditSerializer(many=True, default=None, allow_null=True)


class StateSerializer(serializers.Serializer[Keyframe]):
    """A whole article: scalars and texts by field, identities by relation."""

    values = serializers.DictField(child=serializers.CharField(allow_null=True))
    relations = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))


class PayloadSerializer(serializers.Serializer[dict[str, str | int]]):
    """Where the content of a large event lies."""

    sha256 = serializers.CharField()
    size = serializers.IntegerField()


class AmendmentSerializer(serializers.Serializer[AmendmentMark]):
    """A value that is not as it was captured."""

    field = serializers.CharField()
    reason = serializers.CharField()


class EventSerializer(serializers.ModelSerializer[AuditEvent]):
    """One enriched event."""

    occurred_at = MomentField()
    recorded_at = MomentField()
    actor = ActorSerializer(source="*")
    actor_profile = serializers.SerializerMethodField()
    context = ContextSerializer()  # type: ignore[assignment]  # a field; DRF has a property of this name
    changes = ChangeSerializer(many=True)
    labels = serializers.DictField(
        child=serializers.DictField(child=serializers.CharField()), help_text="Field → identity → name"
    )
    keyframe = StateSerializer(allow_null=True)
    salt = HexField()
    state_digest = HexField()
    previous_hash = HexField()
    hash = HexField()
    payload = PayloadSerializer(allow_null=True)
    amendments = AmendmentSerializer(many=True)

    class Meta:
        model = AuditEvent
        fields = ENRICHED_FIELDS

    @extend_schema_field(ProfileSerializer(allow_null=True))
    def get_actor_profile(self, event: AuditEvent) -> dict[str, str] | None:
        return ProfileSerializer(event).data if event.actor_name or event.actor_byline else None


_PARTS: list[tuple[type[serializers.Serializer[Any]], type]] = [
    (ProfileSerializer, ActorProfile),
    (ActorSerializer, EventActor),
    (ContextSerializer, EventContext),
    (EditSerializer, EditRecord),
    (ChangeSerializer, Change),
    (StateSerializer, Keyframe),
    (PayloadSerializer, PayloadReference),
    (AmendmentSerializer, AmendmentMark),
]


def require_event_fields() -> None:
    """Raise FieldMismatch unless the serializers have the fields of the event's parts."""
    for serializer, part in _PARTS:
        require_same_fields(
            serializer().fields,
            f"{__name__}.{serializer.__name__}",
            part.__annotations__,
            f"{part.__module__}.{part.__name__}",
            remedy="give the serializer what the event has",
        )


require_event_fields()


class ArticleSerializer(serializers.Serializer[Head]):
    """An article as it was captured last."""

    article_id = serializers.CharField()
    kind = serializers.CharField()
    title = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField()
    sequence = serializers.IntegerField(help_text="Number of its last event, and so the number of its events")
    alive = serializers.BooleanField(help_text="False once it is deleted")
    recorded_at = MomentField()
    hash = HexField()

    def get_title(self, head: Head) -> str:
        known = tracking.tracked(head.kind)
        return (head.scalars.get(known.title) if known else None) or ""

    def get_status(self, head: Head) -> str | None:
        known = tracking.tracked(head.kind)
        return head.scalars.get(known.status) if known and known.status else None


class VersionSerializer(serializers.Serializer[dict[str, object]]):
    """An article as it was right after an event, rebuilt from the last keyframe; texts are given as stored,
    unsanitised.
    """

    article_id = serializers.CharField()
    sequence = serializers.IntegerField()
    values = serializers.DictField(child=serializers.CharField(allow_null=True))
    relations = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    labels = serializers.DictField(child=serializers.DictField(child=serializers.CharField()))


class HitSerializer(serializers.Serializer[Hit]):
    """An event found; the event itself is at /api/articles/{article_id}/events/."""

    article_id = serializers.CharField()
    sequence = serializers.IntegerField()
    document = serializers.DictField(help_text="The indexed event without its long texts")
    highlights = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()), help_text="Field → passages, HTML with <mark>"
    )


class SearchSerializer(serializers.Serializer[dict[str, object]]):
    results = HitSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page")
    total = serializers.IntegerField()
    total_is_bound = serializers.BooleanField(help_text="There are at least that many")


class ProblemSerializer(serializers.Serializer[dict[str, str]]):
    detail = serializers.CharField()
