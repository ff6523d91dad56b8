"""Parquet written under every version of the contract reads as one table."""

from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pytest

from audittrail import contracts
from audittrail.archive import format
from testkit.audittrail.events import enriched_event

ORIGIN = {"topic_id": "t", "partition": 0, "appended_at": datetime(2026, 11, 23, tzinfo=UTC)}
VERSIONS = contracts.versions(contracts.ENRICHED)


def written_under(version: int) -> bytes:
    """What the archive of that version wrote: one event, its columns only."""
    schema = pa.schema(format.columns_of(contracts.schema(contracts.ENRICHED, version)) + format.ORIGIN_COLUMNS)
    row = enriched_event(sequence=version, schema_version=version) | ORIGIN | {"offset": version}
    return format.to_parquet(pa.Table.from_pylist([row], schema=schema))


def test_columns_are_those_of_the_contract():
    assert format.SCHEMA.names == [
        field["name"] for field in contracts.schema(contracts.ENRICHED, contracts.latest(contracts.ENRICHED))["fields"]
    ] + [name for name, _ in format.ORIGIN_COLUMNS]


@pytest.mark.parametrize("version", VERSIONS)
def test_our_reader_gives_every_version_in_the_newest_shape(version):
    (event,) = format.events(format.from_parquet(written_under(version)))
    assert event == enriched_event(sequence=version, schema_version=version) | ORIGIN | {"offset": version}


def test_another_reader_reads_all_versions_as_one_table(tmp_path):
    for version in VERSIONS:
        (tmp_path / f"{version}.parquet").write_bytes(written_under(version))
    table = f"read_parquet('{tmp_path}/*.parquet', union_by_name = true)"
    rows = duckdb.connect().execute(f"SELECT schema_version, amendments FROM {table} ORDER BY 1").fetchall()
    assert rows == [(version, None if version == 1 else []) for version in VERSIONS]
