"""The base classes of every admin page: the one place that names the admin's theme."""

from typing import TYPE_CHECKING

from django.db.models import Model
from django.http import HttpRequest

if TYPE_CHECKING:
    # The theme brings no types.  Its classes are Django's with more attributes: to a type checker they are Django's.
    from collections.abc import Callable
    from typing import Any, Generic, TypeVar

    from django.contrib import admin
    from django.contrib.auth.mixins import PermissionRequiredMixin
    from django.core.paginator import Paginator

    _Row = TypeVar("_Row")

    ModelAdmin = admin.ModelAdmin[Any]  # of whatever model a subclass is registered for
    TabularInline = admin.TabularInline[Any, Any]

    class AdminPage(PermissionRequiredMixin):
        model_admin: ModelAdmin
        title: str

    class InfinitePaginator(Paginator[_Row], Generic[_Row]): ...

    _Method = TypeVar("_Method", bound=Callable[..., object])

    def action(**options: object) -> Callable[[_Method], _Method]: ...

    def display(**options: object) -> Callable[[_Method], _Method]: ...

else:
    from unfold.admin import ModelAdmin, TabularInline
    from unfold.decorators import action, display
    from unfold.paginator import InfinitePaginator
    from unfold.views import UnfoldModelAdminViewMixin as AdminPage

__all__ = [
    "AdminPage",
    "InfinitePaginator",
    "ModelAdmin",
    "ReadOnlyAdmin",
    "TabularInline",
    "action",
    "display",
]


class ReadOnlyAdmin(ModelAdmin):
    """An admin that shows rows which are never edited by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
