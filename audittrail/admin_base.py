"""The base classes of every admin page: the one place that names the admin's theme."""

from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.decorators import action, display
from unfold.paginator import InfinitePaginator
from unfold.views import UnfoldModelAdminViewMixin as AdminPage

__all__ = ["AdminPage", "InfinitePaginator", "ModelAdmin", "StackedInline", "TabularInline", "action", "display"]
