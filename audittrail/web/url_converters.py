"""An article's identity in an address: any text, slashes included, that a database can hold."""

from django.urls import register_converter
from django.urls.converters import IntConverter, PathConverter


class ArticlePath(PathConverter):
    regex = r"[^\x00]+"


class SequencePath(IntConverter):
    """From 1, within 64 bits."""

    regex = "[1-9][0-9]{0,17}"


register_converter(ArticlePath, "article")
register_converter(SequencePath, "sequence")
