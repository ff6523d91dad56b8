"""The people and sections a history names, each looked up once and made when it is new."""

import hashlib

from django.utils.text import slugify

from newsroom.models import Author, Section

# An author known by a byline only, until an event of theirs has their own identity.
_BYLINE_ONLY = "byline:"


_SLUG_LIMIT = 75
"""What a number is appended to where two are alike."""


def short_slug(name: str, limit: int, *, allow_unicode: bool) -> str:
    """The slug of a name; cut and told apart by a digest where it is longer than `limit` characters."""
    slug = slugify(name, allow_unicode=allow_unicode)
    if len(slug) <= limit:
        return slug
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{slug[: limit - 13]}-{digest}"


class Catalogue:
    """Imported authors by identity and by name, and sections by name."""

    def __init__(self) -> None:
        self.sections = {section.name: section for section in Section.objects.all()}
        self.authors = {author.external_id: author for author in Author.objects.exclude(external_id=None)}
        self.names = {author.name: author for author in self.authors.values()}

    def section(self, name: str) -> Section | None:
        if name and name not in self.sections:
            self.sections[name] = self._new_section(name)
        return self.sections.get(name)

    def author(self, external_id: str, name: str) -> Author:
        """Who made an event."""
        if external_id not in self.authors:
            self.authors[external_id] = self._identified(external_id, name)
        return self.authors[external_id]

    def credited(self, name: str) -> Author:
        """The author named in a byline, which holds nothing but names."""
        if name not in self.names:
            self.names[name] = self._new_author(_BYLINE_ONLY + name, name)
        return self.names[name]

    def _identified(self, external_id: str, name: str) -> Author:
        author = self.names.get(name)
        if author is None or not (author.external_id or "").startswith(_BYLINE_ONLY):
            author = self.names[name] = self._new_author(external_id, name)
        else:
            author.external_id = external_id
            author.save(update_fields=["external_id"])
        return author

    def _new_author(self, external_id: str, name: str) -> Author:
        author = Author(external_id=external_id, name=name, byline=name)
        author.clean_fields(exclude=("user",))
        author.save()
        return author

    def _new_section(self, name: str) -> Section:
        slug = short_slug(name, _SLUG_LIMIT, allow_unicode=False) or "section"
        section = Section(name=name, slug=self._free_slug(slug))
        section.clean_fields()
        section.save()
        return section

    def _free_slug(self, slug: str) -> str:
        """Names that differ in punctuation only would share a slug."""
        taken = {section.slug for section in self.sections.values()}
        number = next((n for n in range(2, len(taken) + 2) if f"{slug}-{n}" not in taken), 2)
        return slug if slug not in taken else f"{slug}-{number}"
