//! Rotating, atomic Parquet writer for flow records.
