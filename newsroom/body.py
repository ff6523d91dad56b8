"""What an article's body may hold: one list of extensions for the editor in the browser and for the sanitiser."""

from collections.abc import Callable
from functools import cache

from django_prose_editor.fields import create_sanitizer

EXTENSIONS = {
    "Bold": True,
    "Italic": True,
    "Strike": True,
    "Subscript": True,
    "Superscript": True,
    "Heading": {"levels": [2, 3]},
    "BulletList": True,
    "OrderedList": True,
    "ListItem": True,
    "Blockquote": True,
    "HorizontalRule": True,
    "HardBreak": True,
    "Link": {"enableTarget": False, "protocols": ["http", "https", "mailto"]},
    "History": True,
    "SpecialCharacters": True,
    "HTML": True,
}


@cache
def sanitiser() -> Callable[[str], str]:
    """The function that leaves of an HTML text only what the editor can make."""
    sanitise: Callable[[str], str] = create_sanitizer(EXTENSIONS)
    return sanitise
