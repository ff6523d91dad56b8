"""Dead letters as rows."""

import base64
import uuid

from django.utils import timezone

from consumers.models import DeadLetter


def letter(topic: str, **fields: object) -> DeadLetter:
    """A dead letter of the enricher that was read from `topic`."""
    given = {
        "id": uuid.uuid4(),
        "stage": "enricher",
        "reason": "wrong_magic_byte",
        "detail": "starts with 0xff",
        "origin_topic": topic,
        "origin_partition": 0,
        "origin_offset": 7,
        "key": b"k",
        "headers": {"ce_id": base64.b64encode(b"an id").decode()},
        "value": b"\xff<script>alert(1)</script>",
        "failed_at": timezone.now(),
    }
    return DeadLetter.objects.using("pipeline").create(**given | fields)
