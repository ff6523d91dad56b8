"""The programming interface to the consumers: what they do, what they should do, and what they could not process."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.exceptions import APIException, NotAuthenticated, NotFound, ValidationError
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audittrail.web.pagination import CheckedPages
from audittrail.web.parameters import KnownParameters
from consumers.api.serializers import (
    ActionSerializer,
    DeadLetterSerializer,
    ReleaseSerializer,
    ReplaySerializer,
    StatusSerializer,
)
from consumers.models import DeadLetter
from consumers.supervision import control
from consumers.supervision.status import collect
from consumers.tasks import QueueAway, ask_for_replay


class QueueIsAway(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "queue_unavailable"


def needs(permission: str) -> type[BasePermission]:
    """Return the permission of that name, as in the admin, as DRF wants it."""

    class Needs(BasePermission):
        message = f"This needs the permission {permission}."

        def has_permission(self, request: Request, view: APIView) -> bool:
            return request.user.has_perm(permission)

    return Needs


class Consumers(KnownParameters):
    """Every stage: desired and observed state, processes, lag and verdict."""

    permission_classes = (IsAuthenticated, needs("consumers.view_stagecontrol"))

    @extend_schema(operation_id="consumers", responses=StatusSerializer)
    def get(self, request: Request) -> Response:
        return Response(StatusSerializer(collect()).data)


class ConsumerActions(APIView):
    """Ask something of a stage; it is recorded with who asked, and takes a second or two."""

    permission_classes = (IsAuthenticated, needs("consumers.change_stagecontrol"))

    @extend_schema(operation_id="consumer_action", request=ActionSerializer, responses={202: ActionSerializer})
    def post(self, request: Request, stage: str) -> Response:
        return _asked(request, stage, ActionSerializer(data=request.data), control.perform)


class HaltReleases(APIView):
    """Let a halted partition of a stage go on: what is rejected of the batch that waits becomes dead letters."""

    permission_classes = (IsAuthenticated, needs("consumers.change_stagecontrol"))

    @extend_schema(operation_id="halt_release", request=ReleaseSerializer, responses={202: ReleaseSerializer})
    def post(self, request: Request, stage: str) -> Response:
        return _asked(request, stage, ReleaseSerializer(data=request.data), control.release)


def _asked(request: Request, stage: str, asked: serializers.Serializer[Any], perform: Callable[..., None]) -> Response:
    asked.is_valid(raise_exception=True)
    if not request.user.is_authenticated:
        raise NotAuthenticated
    try:
        perform(stage=stage, user=request.user, **asked.validated_data)
    except control.UnknownStage as error:
        raise NotFound(str(error)) from error
    except control.Refused as error:
        raise ValidationError(str(error)) from error
    return Response(asked.data, status=status.HTTP_202_ACCEPTED)


class LetterPages(CheckedPages):
    position = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]{8,15}(\+00:00|Z)?"
    ordering = ("-failed_at", "-id")


class DeadLetters(KnownParameters, generics.ListAPIView[DeadLetter]):
    """What stages could not process, the latest first."""

    permission_classes = (IsAuthenticated, needs("consumers.view_deadletter"))
    queryset = DeadLetter.objects.defer("key", "value", "headers")
    serializer_class = DeadLetterSerializer
    pagination_class = LetterPages
    parameters = (*LetterPages.parameters, "stage", "reason", "article_id", "replayed_at__isnull")
    filterset_fields = {"stage": ["exact"], "reason": ["exact"], "article_id": ["exact"], "replayed_at": ["isnull"]}


class DeadLetterReplay(APIView):
    """Put dead letters back where they came from."""

    permission_classes = (IsAuthenticated, needs("consumers.change_deadletter"))

    @extend_schema(operation_id="dead_letter_replay", request=ReplaySerializer, responses={200: dict, 202: dict})
    def post(self, request: Request) -> Response:
        asked = ReplaySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        letters = DeadLetter.objects.filter(pk__in=asked.validated_data["ids"]).replayable()
        ids = [str(key) for key in letters.values_list("pk", flat=True)]
        if asked.validated_data["dry_run"]:
            return Response({"replayable": len(ids)})
        try:
            ask_for_replay(ids, request.user.pk)
        except QueueAway as error:
            raise QueueIsAway(str(error)) from error
        return Response({"replayable": len(ids)}, status=status.HTTP_202_ACCEPTED)
