"""Stored HTML made safe to show: articles are written by people and imported from elsewhere, and nothing in them is
trusted.
"""

import html
import re

import nh3
from django.utils.safestring import SafeString, mark_safe

_TAGS = frozenset(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "ins",
        "kbd",
        "li",
        "mark",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "time",
        "tr",
        "u",
        "ul",
        "var",
    ]
)
_ATTRIBUTES = {
    "a": {"href", "title"},
    "abbr": {"title"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "time": {"datetime"},
}
_LINKS = "noopener noreferrer nofollow"
_SCHEMES = {"http", "https", "mailto"}
_INVISIBLE = {"script", "style", "template", "noscript", "iframe", "object", "title"}
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<!--.*?-->", re.DOTALL)
_KNOWN_TAGS = (
    "a|abbr|b|blockquote|br|caption|cite|code|dd|del|div|dl|dt|em|figcaption|figure|h[1-6]|hr|i|iframe|"
    "img|ins|li|mark|ol|p|pre|q|s|section|small|span|strong|sub|sup|table|tbody|td|tfoot|th|thead|tr|u|"
    "ul|video"
)
_KNOWN_TAG = re.compile(rf"</?(?:{_KNOWN_TAGS})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_ADDRESS = re.compile(r"""\b(?:href|src|alt|title)\s*=\s*("[^"]*"|'[^']*')""", re.IGNORECASE)
_BLOCK = re.compile(
    r"</?(?:p|div|li|ul|ol|h[1-6]|br|tr|table|blockquote|pre|figure|figcaption|hr|dt|dd|section|article)\b[^<>]*>",
    re.IGNORECASE,
)


def safe_html(text: str) -> SafeString:
    """The text's harmless markup: no scripts, styles, forms, frames or anything fetched from elsewhere."""
    cleaned = nh3.clean(
        text,
        tags=set(_TAGS),
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        clean_content_tags=_INVISIBLE,
        link_rel=_LINKS,
    )
    return mark_safe(cleaned)  # noqa: S308 - it is what nh3 let through


def marked(text: str) -> SafeString:
    """A passage from the search index, of which nothing but `<mark>` is kept as markup."""
    return mark_safe(nh3.clean(text, tags={"mark"}, attributes={}))  # noqa: S308 - it is what nh3 let through


def readable_text(text: str) -> str:
    """An excerpt of HTML as a person reads it: without tags, entities resolved. Not HTML: escape it to show it."""
    return html.unescape(_TAG.sub("", _BLOCK.sub(" ", text)))


def searchable_text(text: str) -> str:
    """A text without the tags of HTML, keeping the addresses and titles in them (a changed link must be findable).

    Only HTML's own tags go: what merely stands between angle brackets stays.
    """
    return html.unescape(_KNOWN_TAG.sub(_addresses, text))


def _addresses(tag: re.Match[str]) -> str:
    found = (value[1:-1] for value in _ADDRESS.findall(tag[0]))
    return " ".join(["", *found, ""]) or " "


def readable_document(text: str) -> str:
    """A whole article's HTML as plain text, a line to each block."""
    lines = html.unescape(_TAG.sub("", _BLOCK.sub("\n", text))).splitlines()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip()


def looks_like_html(text: str) -> bool:
    """Whether a text has markup to render; one that has none is shown with its own line breaks."""
    return _BLOCK.search(text) is not None
