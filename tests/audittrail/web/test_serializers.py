"""The interface shows an event as it is defined, with every field of every part."""

import pytest

from audittrail.events.event import ENRICHED_FIELDS, Change, EventContext
from audittrail.events.field_check import FieldMismatch
from audittrail.web import serializers


def test_an_event_has_the_fields_that_are_defined():
    assert tuple(serializers.EventSerializer().fields) == ENRICHED_FIELDS


def test_a_part_that_lacks_a_field_is_refused(monkeypatch):
    monkeypatch.setitem(Change.__annotations__, "embargo", str)
    with pytest.raises(FieldMismatch, match=r"'embargo' is in .*\.Change, but not in .*\.ChangeSerializer"):
        serializers.require_event_fields()


def test_a_part_with_a_field_of_its_own_is_refused(monkeypatch):
    monkeypatch.delitem(EventContext.__annotations__, "ip")
    with pytest.raises(FieldMismatch, match=r"'ip' is in .*\.ContextSerializer, but not in .*\.EventContext"):
        serializers.require_event_fields()
