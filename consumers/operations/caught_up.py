"""Whether everything saved by a moment has arrived everywhere, by criteria that a store meets only if it has the
events.

- relay: no committed outbox row of that time is unpublished;
- a sink whose StageSpec says what is `missing`, as those of database and index: none of the events, by article;
- any other sink, as the archive's: see consumers.operations.pipeline_position, begun once the relay has published.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Max

from audittrail.models import Head, OutboxEvent
from consumers import conf, stages
from consumers.kafka import clients
from consumers.operations.pipeline_position import PipelinePosition
from consumers.runtime.stage_spec import StageSpec


@dataclass(frozen=True, slots=True)
class Goal:
    """What was saved by a moment: each article's last sequence, and the last outbox row."""

    heads: dict[str, int]
    last_row: int

    @property
    def events(self) -> int:
        return sum(self.heads.values())


def goal(using: str = "pipeline") -> Goal:
    """What is saved now."""
    last_row = OutboxEvent.objects.using(using).aggregate(last=Max("id"))["last"] or 0
    return Goal(dict(Head.objects.using(using).values_list("article_id", "sequence")), last_row)


def is_awaited(spec: StageSpec) -> bool:
    """Whether events arrive somewhere by this stage: it empties the outbox, or stores what the enricher has passed
    on.
    """
    return bool(spec.backlog or spec.missing) or conf.enriched_topic in spec.reads


class Watch:
    """Looks, as often as asked, what of a goal is still under way."""

    def __init__(self, goal: Goal):
        self.goal = goal
        self._specs = [spec for spec in stages.table().values() if is_awaited(spec)]
        self.missing: dict[str, int | None] = dict.fromkeys(spec.name for spec in self._specs)
        """Stage → events still under way to it; None where that is not known yet."""
        self.lacking: dict[str, Mapping[str, int]] = {spec.name: goal.heads for spec in self._specs if spec.missing}
        """Stage → article → events not found at the last look."""
        self._position: PipelinePosition | None = None

    @property
    def is_reached(self) -> bool:
        """Whether nothing was missing at the last look."""
        return all(count == 0 for count in self.missing.values())

    def look(self) -> None:
        """Count again. Raises NotReady, django.db.OperationalError and KafkaException; look again then."""
        for spec in self._specs:
            self.missing[spec.name] = self._missing(spec)

    def _missing(self, spec: StageSpec) -> int | None:
        if spec.backlog:
            return spec.backlog("pipeline", self.goal.last_row)
        if spec.missing:
            # An article of which a store had all is not asked for again.
            asked = {article: self.goal.heads[article] for article in self.lacking[spec.name]}
            self.lacking[spec.name] = spec.missing(asked)
            return sum(self.lacking[spec.name].values())
        if any(self.missing[each.name] for each in self._specs if each.backlog):
            return None
        self._position = self._position or PipelinePosition(clients.admin())
        return self._position.before_sink(spec.group)

    def set_aside(self) -> int:
        """Events that violate the contract and wait for somebody to release them."""
        return OutboxEvent.objects.using("pipeline").filter(id__lte=self.goal.last_row).set_aside().count()
