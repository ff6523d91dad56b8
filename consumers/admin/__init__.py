"""The consumers in the admin. Django's autodiscovery imports this package, which registers every page."""

from consumers.admin import dead_letters, overview, quarantine

__all__ = ["dead_letters", "overview", "quarantine"]
