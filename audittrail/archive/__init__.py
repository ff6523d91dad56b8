"""The long-term archive: Parquet objects on S3, one row for each enriched event; see docs/archive.md."""
