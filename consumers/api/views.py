"""The programming interface to the consumers: what they do, what they should do, and what they could not process."""

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from consumers.models import DeadLetter
from consumers.runtime.stage_spec import MOST_PROCESSES
from consumers.supervision import control
from consumers.supervision.status import collect
from consumers.tasks import replay_dead_letters


def needs(permission: str) -> type[BasePermission]:
    """The permission of that name, as in the admin."""

    class Needs(BasePermission):
        message = f"This needs the permission {permission}."

        def has_permission(self, request: Request, view: APIView) -> bool:
            return request.user.has_perm(permission)

    return Needs


class MemberSerializer(serializers.Serializer):
    name = serializers.CharField()
    host = serializers.CharField()
    partitions = serializers.ListField(child=serializers.ListField())


class GroupSerializer(serializers.Serializer):
    lag = serializers.IntegerField(allow_null=True)
    unknown_partitions = serializers.IntegerField()
    state = serializers.CharField(allow_null=True)
    members = MemberSerializer(many=True)


class ProcessSerializer(serializers.Serializer):
    slot = serializers.IntegerField()
    host = serializers.CharField()
    pid = serializers.IntegerField()
    state = serializers.CharField()
    reason = serializers.CharField()
    partitions = serializers.IntegerField()
    processed = serializers.IntegerField()
    dead_letters = serializers.IntegerField()
    silent_seconds = serializers.FloatField()
    alive = serializers.BooleanField()


class StageSerializer(serializers.Serializer):
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
    group = serializers.CharField(allow_null=True)
    view = GroupSerializer(help_text="As Kafka sees it.")
    processes = ProcessSerializer(many=True)


class StatusSerializer(serializers.Serializer):
    at = serializers.DateTimeField()
    kafka_problem = serializers.CharField(help_text="Why Kafka could not be asked; empty when it could.")
    stages = StageSerializer(many=True)


class ActionSerializer(serializers.Serializer):
    action = serializers.ChoiceField(choices=list(control.ACTIONS))
    processes = serializers.IntegerField(required=False, min_value=1, max_value=MOST_PROCESSES, help_text="For scale.")


class DeadLetterSerializer(serializers.ModelSerializer):
    replayable = serializers.SerializerMethodField()

    class Meta:
        model = DeadLetter
        exclude = ("key", "value", "headers")

    def get_replayable(self, letter: DeadLetter) -> bool:
        return letter.is_replayable


class ReplaySerializer(serializers.Serializer):
    ids = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=1000)
    dry_run = serializers.BooleanField(default=False, help_text="Only say how many could be put back.")


class Consumers(APIView):
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
        asked = ActionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            control.perform(stage=stage, user=request.user, **asked.validated_data)
        except control.UnknownStage as error:
            raise NotFound(str(error)) from error
        except control.Refused as error:
            raise ValidationError(str(error)) from error
        return Response(asked.data, status=status.HTTP_202_ACCEPTED)


class LetterPages(CursorPagination):
    page_size = 50
    ordering = ("-failed_at", "-id")


class DeadLetters(generics.ListAPIView):
    """What stages could not process, the latest first."""

    permission_classes = (IsAuthenticated, needs("consumers.view_deadletter"))
    queryset = DeadLetter.objects.defer("key", "value", "headers")
    serializer_class = DeadLetterSerializer
    pagination_class = LetterPages
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
        replay_dead_letters.delay(ids, request.user.pk)
        return Response({"replayable": len(ids)}, status=status.HTTP_202_ACCEPTED)
