"""The stages, in the order in which an event passes them.

Adding one is a module and a line: a StageSpec in BUILT_IN, or the dotted path of a site's own StageSpec in the Django
setting AUDIT_STAGES. docs/adding-a-sink.md shows how.
"""

from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from audittrail.models import OutboxEvent
from consumers import conf
from consumers.models import RelayLane
from consumers.runtime.stage_spec import StageSpec
from consumers.stages import completeness, site_stages


def pending(using: str, last_row: int | None = None) -> int:
    """Rows of the outbox, up to one, that wait for the relay."""
    rows = OutboxEvent.objects.using(using).pending()
    return (rows if last_row is None else rows.filter(id__lte=last_row)).count()


def published_batches(using: str) -> int:
    """How many batches the relay's lanes have published so far."""
    return sum(RelayLane.objects.using(using).values_list("done", flat=True))


RELAY = StageSpec(
    name="relay",
    aliases=("relay_outbox",),
    runner="consumers.relay.runner.run",
    route="outbox → content-audit-trail",
    help="outbox in PostgreSQL → content-audit-trail, exactly once",
    without_group="lanes, without a group",
    backlog=pending,
    progress=published_batches,
)
ENRICHER = StageSpec(
    name="enricher",
    stage="consumers.stages.enricher.Enricher",
    reads=(conf.raw_topic,),
    group_name="processor",
    member_name="processor-node",
    metrics_offset=0,
    route="content-audit-trail → …enriched",
    help="content-audit-trail → content-audit-trail.enriched",
)
DATABASE = StageSpec(
    name="database",
    stage="consumers.stages.database.DatabaseSink",
    reads=(conf.enriched_topic, conf.dead_letter_topic),
    group_name="database",
    member_name="database-node",
    metrics_offset=16,
    route="…enriched, …dead-letters → PostgreSQL",
    help="content-audit-trail.enriched, .dead-letters → PostgreSQL",
    missing=completeness.missing_in_database,
)
SEARCH = StageSpec(
    name="search",
    stage="consumers.stages.search.SearchSink",
    reads=(conf.enriched_topic,),
    group_name="search",
    member_name="search-node",
    metrics_offset=32,
    route="…enriched → Elasticsearch",
    help="content-audit-trail.enriched → Elasticsearch",
    missing=completeness.missing_in_index,
)
ARCHIVE = StageSpec(
    name="archive",
    stage="consumers.stages.archive.ArchiveSink",
    reads=(conf.enriched_topic,),
    group_name="archive",
    member_name="archive-node",
    metrics_offset=48,
    route="…enriched → S3, Parquet",
    help="content-audit-trail.enriched → S3",
)

BUILT_IN = (RELAY, ENRICHER, DATABASE, SEARCH, ARCHIVE)


def table() -> dict[str, StageSpec]:
    """All stages by name. Raises ImproperlyConfigured where AUDIT_STAGES names what cannot be one."""
    paths = getattr(settings, "AUDIT_STAGES", ())
    if isinstance(paths, str):
        raise ImproperlyConfigured(f"AUDIT_STAGES={paths!r} is a text: give a list of dotted paths.")
    return _table(tuple(paths))


def find(name: str) -> StageSpec:
    """A stage by its name or one of its aliases. Raises KeyError."""
    return {alias: spec for spec in table().values() for alias in (spec.name, *spec.aliases)}[name]


def take_part_in_verification() -> None:
    """Have verify_trail read the stores of those stages that say how. Raises ImproperlyConfigured, as `table`."""
    if stores := [spec.verified for spec in table().values() if spec.verified]:
        from audittrail.integrity.verify import further_stores  # with Arrow: not in every process

        further_stores.extend(stores)


@lru_cache
def _table(paths: tuple[str, ...]) -> dict[str, StageSpec]:
    specs = [*BUILT_IN, *map(site_stages.imported, paths)]
    site_stages.demand_distinct(specs)
    return {spec.name: spec for spec in specs}
