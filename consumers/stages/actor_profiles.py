"""Who actors were when they made a change: the profiles that capture keeps by version."""

from collections.abc import Iterable

from django.db import Error, connections

from audittrail.events.event import ActorProfile, EventActor
from consumers.errors import NotReady

DATABASE = "pipeline"

ActorKey = tuple[str, int]

_KNOWN_VERSIONS = """
    SELECT actor_id, version, name, byline, role, desk FROM audittrail_actorversion
    JOIN unnest(%s::text[], %s::int[]) AS wanted (id, number) ON actor_id = wanted.id AND version = wanted.number
"""


class ActorProfiles:
    """Profiles by identity and version. A version never changes, so each is asked for once."""

    def __init__(self) -> None:
        self._known: dict[ActorKey, ActorProfile] = {}

    def learn(self, actors: Iterable[EventActor]) -> None:
        """Make all these actors known, with one query for the unknown. Raises NotReady: PostgreSQL is away, or a
        version is not there yet.
        """
        unknown = sorted({key for actor in actors if (key := _key(actor)) and key not in self._known})
        if not unknown:
            return
        for actor_id, version, name, byline, role, desk in self._ask(unknown):
            self._known[actor_id, version] = {"name": name, "byline": byline, "role": role, "desk": desk}
        missing = [key for key in unknown if key not in self._known]
        if missing:
            raise NotReady(
                "author metadata is missing: "
                + ", ".join(f"version {version} of {actor_id}" for actor_id, version in missing[:5])
            )

    def of(self, actor: EventActor) -> ActorProfile | None:
        """The profile an actor sent along, or of the version it names; None if it has neither, or if nothing is in it,
        which no store could tell apart.
        """
        key = _key(actor)
        profile = self._known[key] if key else actor["snapshot"]
        return profile if profile and any(profile.values()) else None

    def close(self) -> None:
        """Let go of the connection."""
        connections[DATABASE].close()

    @staticmethod
    def _ask(keys: list[ActorKey]) -> list[tuple[str, int, str, str, str, str]]:
        """Identity, version and profile of the actor versions that are known. Raises NotReady."""
        found: list[tuple[str, int, str, str, str, str]]
        try:
            with connections[DATABASE].cursor() as cursor:
                cursor.execute(_KNOWN_VERSIONS, [[actor_id for actor_id, _ in keys], [version for _, version in keys]])
                found = cursor.fetchall()
        except Error as error:
            connections[DATABASE].close()
            raise NotReady(f"PostgreSQL, for author metadata: {error}") from error
        return found


def _key(actor: EventActor) -> ActorKey | None:
    """What its profile is looked up by; an id with a NUL is none of ours."""
    if actor["snapshot"] or actor["id"] is None or actor["version"] is None or "\0" in actor["id"]:
        return None
    return actor["id"], actor["version"]
