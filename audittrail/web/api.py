"""The programming interface to the trail: everything is for reading."""

from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audittrail.events.versions import VersionError
from audittrail.models import AuditEvent, Head
from audittrail.search import queries, query_language
from audittrail.timeline import access
from audittrail.timeline.version_walk import version
from audittrail.web import serializers
from audittrail.web.pagination import CheckedPages
from audittrail.web.parameters import KnownParameters

Row = TypeVar("Row", bound=Model)

NO_ARTICLE = "No such article."


class MayReadTrail(BasePermission):
    """`audittrail.view_auditevent`, as in the admin."""

    message = "This needs the permission audittrail.view_auditevent."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perm("audittrail.view_auditevent")


class SearchIsAway(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "search_unavailable"


class Unrebuildable(APIException):
    """A version that exists but cannot be rebuilt from what is stored."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "version_unavailable"


class ArticlePages(CheckedPages):
    ordering = "article_id"


class EventPages(CheckedPages):
    ordering = "sequence"
    position = r"[0-9]{1,18}"


class _TrailView(KnownParameters):
    permission_classes = (IsAuthenticated, MayReadTrail)

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Also the permission of the article's kind."""
        super().initial(request, *args, **kwargs)
        access.require_readable(request.user, kwargs.get("article_id"))


class _TrailModelView(_TrailView, generics.GenericAPIView[Row]):
    filter_backends = ()
    absent = ""
    """What is said of an object that there is not."""

    def get_object(self) -> Row:
        try:
            return super().get_object()
        except Http404:
            raise Http404(self.absent) from None


def _problems(*codes: int) -> dict[int, type[serializers.ProblemSerializer]]:
    return dict.fromkeys((403, *codes), serializers.ProblemSerializer)


@extend_schema(
    summary="All articles, by identity", responses={200: serializers.ArticleSerializer(many=True)} | _problems(400)
)
class Articles(_TrailModelView[Head], generics.ListAPIView[Head]):
    """Every article that was ever captured, deleted ones too, in the order of their identities."""

    parameters = CheckedPages.parameters
    queryset = Head.objects.all()
    serializer_class = serializers.ArticleSerializer
    pagination_class = ArticlePages

    def get_queryset(self) -> QuerySet[Head]:
        return access.readable(self.request.user, super().get_queryset())


@extend_schema(summary="One article", responses={200: serializers.ArticleSerializer} | _problems(404))
class Article(_TrailModelView[Head], generics.RetrieveAPIView[Head]):
    """An article's last captured state: its title, status and number of events."""

    queryset = Head.objects.all()
    serializer_class = serializers.ArticleSerializer
    lookup_field = "article_id"
    absent = NO_ARTICLE


@extend_schema(
    summary="An article's events, by sequence",
    responses={200: serializers.EventSerializer(many=True)} | _problems(400, 404),
)
class ArticleEvents(_TrailModelView[AuditEvent], generics.ListAPIView[AuditEvent]):
    """The events of an article, first to last. An event that has not arrived is left out: its sequence number is
    missing.
    """

    parameters = CheckedPages.parameters
    queryset = AuditEvent.objects.none()
    serializer_class = serializers.EventSerializer
    pagination_class = EventPages

    def get_queryset(self) -> QuerySet[AuditEvent]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        events = AuditEvent.objects.filter(article_id=self.kwargs["article_id"])
        if not events.exists() and not Head.objects.filter(pk=self.kwargs["article_id"]).exists():
            raise Http404(NO_ARTICLE)
        return events


@extend_schema(summary="One event", responses={200: serializers.EventSerializer} | _problems(404))
class Event(_TrailModelView[AuditEvent], generics.RetrieveAPIView[AuditEvent]):
    """One event by its identity."""

    queryset = AuditEvent.objects.all()
    serializer_class = serializers.EventSerializer
    lookup_field = "event_id"
    absent = "No such event."

    def get_queryset(self) -> QuerySet[AuditEvent]:
        return access.readable(self.request.user, super().get_queryset())


class ArticleVersion(_TrailView):
    """The article as it was right after an event."""

    @extend_schema(
        summary="A version of an article", responses={200: serializers.VersionSerializer} | _problems(404, 409)
    )
    def get(self, request: Request, article_id: str, sequence: int) -> Response:
        """Rebuilt from the last keyframe. 409 when the events that it takes are missing or do not fit."""
        if not AuditEvent.objects.filter(article_id=article_id, sequence=sequence).exists():
            raise Http404(f"No event {sequence} of this article.")
        try:
            state = version(article_id, sequence)
        except VersionError as problem:
            raise Unrebuildable(f"Version {sequence} cannot be rebuilt: {problem}.") from problem
        shown = {
            "article_id": article_id,
            "sequence": sequence,
            "values": state.values,
            "relations": state.relations,
            "labels": state.labels,
        }
        return Response(serializers.VersionSerializer(shown).data)


class Search(_TrailView):
    """One question to the search index."""

    parameters = ("q", "cursor")

    @extend_schema(
        summary="Search all events",
        parameters=[
            OpenApiParameter(
                "q",
                OpenApiTypes.STR,
                description='Words, "phrases" and qualifiers: `actor:kim removed:alleged -section:sport`',
            ),
            OpenApiParameter("cursor", OpenApiTypes.STR, description="`next` of the page before"),
        ],
        responses={200: serializers.SearchSerializer} | _problems(400, 503),
    )
    def get(self, request: Request) -> Response:
        """Events that match, newest first. 400 for what the search box would leave out; 503 while the index is away."""
        text = request.query_params.get("q", "")
        if messages := query_language.parse(text).messages:
            raise ValidationError({"detail": f"q: {' '.join(messages)}"})
        try:
            found = queries.search(
                text,
                after=request.query_params.get("cursor") or None,
                without_kinds=access.hidden_kinds(request.user),
            )
        except queries.BadCursor as problem:
            raise ValidationError({"detail": f"cursor: {problem}"}) from problem
        except queries.SearchUnavailable as problem:
            raise SearchIsAway(str(problem)) from problem
        page: dict[str, object] = {
            "results": found.hits,
            "next": found.next_cursor,
            "total": found.total,
            "total_is_bound": found.total_is_bound,
        }
        return Response(serializers.SearchSerializer(page).data)
