"""The page of consumers: every stage, what it does and should do, and the buttons that steer it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from audittrail.admin_base import AdminPage, ReadOnlyAdmin
from audittrail.capture.inspection import inspect
from consumers.admin import stage_cards
from consumers.models import ControlAction, StageControl
from consumers.runtime.stage_spec import MOST_PROCESSES
from consumers.supervision import control
from consumers.supervision.status import collect

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ACTIONS_SHOWN = 15
OVERVIEW = "admin:consumers_overview"


class ConsumersPage(AdminPage, TemplateView):
    """All stages, with what an admin may ask of them."""

    title = "Consumers"
    permission_required = "consumers.view_stagecontrol"
    template_name = "admin/consumers/overview.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        status = collect()
        return super().get_context_data(**kwargs) | {
            "cards": stage_cards.cards(status),
            "kafka_problem": status.kafka_problem,
            "capture": inspect(),
            "at": timezone.localtime(status.at),
            "actions": ControlAction.objects.select_related("user")[:ACTIONS_SHOWN],
            "may_change": self.request.user.has_perm("consumers.change_stagecontrol"),
            "most_processes": MOST_PROCESSES,
            "width": stage_cards.WIDTH,
            "height": stage_cards.HEIGHT,
        }


def live(request: HttpRequest) -> JsonResponse:
    """Return the cards, for the page to refresh itself."""
    _permitted_user(request, "consumers.view_stagecontrol")
    status = collect()
    return JsonResponse(
        {
            "at": f"{timezone.localtime(status.at):%H:%M:%S}",
            "kafka_problem": status.kafka_problem,
            "cards": stage_cards.cards(status),
        }
    )


@require_POST
def act(request: HttpRequest, stage: str) -> HttpResponse:
    """Carry out what a button asks."""
    action, processes = request.POST.get("action", ""), request.POST.get("processes", "")

    def perform(user: "User") -> None:
        control.perform(action, stage, user, int(processes) if processes.isdecimal() else None)

    return _asked(request, stage, action, perform)


@require_POST
def release(request: HttpRequest, stage: str) -> HttpResponse:
    """Let a halted partition go on."""
    numbers = [request.POST.get(name, "") for name in ("partition", "last_offset")]

    def perform(user: "User") -> None:
        if not all(each.isdecimal() and len(each) < 19 for each in numbers):
            raise control.Refused("partition and last_offset are whole numbers")
        control.release(stage, user, request.POST.get("topic", ""), *map(int, numbers))

    return _asked(request, stage, "the release", perform)


def _asked(request: HttpRequest, stage: str, what: str, perform: "Callable[[User], None]") -> HttpResponse:
    user = _permitted_user(request, "consumers.change_stagecontrol")
    try:
        perform(user)
    except (control.UnknownStage, control.Refused) as error:
        messages.error(request, f"{stage}: {error}")
    else:
        messages.success(request, f"{stage}: {what} is on its way; it takes a second or two.")
    return redirect(OVERVIEW)


def _permitted_user(request: HttpRequest, permission: str) -> "User":
    """Raises PermissionDenied."""
    if not request.user.is_authenticated or not request.user.has_perm(permission):
        raise PermissionDenied
    return request.user


@admin.register(StageControl)
class StageControlAdmin(ReadOnlyAdmin):
    """Shown as one page instead of Django's list."""

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(ConsumersPage.as_view(model_admin=self))
        return [
            path("", page, name="consumers_stagecontrol_changelist"),
            path("overview/", page, name="consumers_overview"),
            path("live/", self.admin_site.admin_view(live), name="consumers_live"),
            path("<str:stage>/release/", self.admin_site.admin_view(release), name="consumers_release"),
            path("<str:stage>/act/", self.admin_site.admin_view(act), name="consumers_act"),
        ]
