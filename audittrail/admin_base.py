"""The base classes of every admin page: the one place that names the admin's theme."""

from django.http import HttpRequest
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.decorators import action, display
from unfold.paginator import InfinitePaginator
from unfold.views import UnfoldModelAdminViewMixin as AdminPage

__all__ = [
    "AdminPage",
    "InfinitePaginator",
    "ModelAdmin",
    "ReadOnlyAdmin",
    "StackedInline",
    "TabularInline",
    "action",
    "display",
]


class ReadOnlyAdmin(ModelAdmin):
    """Of what the machinery writes, and nobody by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj=None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return False
