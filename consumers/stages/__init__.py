"""The stages. Adding one is a module here and a line below."""

from importlib import import_module

from consumers.runtime.stage import Stage

STAGES = {
    "enricher": "consumers.stages.enricher.Enricher",
    "database": "consumers.stages.database.DatabaseSink",
    "search": "consumers.stages.search.SearchSink",
    "archive": "consumers.stages.archive.ArchiveSink",
}
"""Name → class, imported only in the process that runs it: each brings the client of its store along."""


def make(name: str) -> Stage:
    """A new instance of a stage. Raises KeyError."""
    module, _, cls = STAGES[name].rpartition(".")
    return getattr(import_module(module), cls)()
