"""The consumers in the admin. Django's autodiscovery imports this package, which registers every page."""

from consumers.admin import pages, quarantine

__all__ = ["pages", "quarantine"]
