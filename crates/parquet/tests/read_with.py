"""Compare what DuckDB, pyarrow, pandas and polars read with a table of the expected values.

    read_with.py EXPECTED.tsv COMMUNITY.parquet ALL_COLUMNS.parquet

The first line of the table has the names of the 44 columns, the others a row each: times in microseconds since 1970, "null"
where there is no value. Exit status 1 and one line for each difference.
"""

import sys

import duckdb
import polars
import pyarrow
import pyarrow.parquet

ROWS_SHOWN = 3
failures = []


def fail(text):
    failures.append(text)
    print(text)


def as_texts(column):
    """An arrow column as the table's texts."""
    if pyarrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pyarrow.types.is_timestamp(column.type):
        column = column.cast(pyarrow.timestamp("us", "UTC")).cast(pyarrow.int64())
    return ["null" if value is None else str(value) for value in column.to_pylist()]


def compare(reader, table, names, expected):
    if table.schema.names != names:
        fail(f"{reader}: columns {table.schema.names}, expected {names}")
        return
    if table.num_rows != len(expected[0]):
        fail(f"{reader}: {table.num_rows} rows, expected {len(expected[0])}")
        return
    for name, wanted in zip(names, expected):
        found = as_texts(table[name])
        if found != wanted:
            rows = [i for i, pair in enumerate(zip(found, wanted)) if pair[0] != pair[1]]
            for i in rows[:ROWS_SHOWN]:
                fail(f"{reader}: {name} of row {i} is {found[i]!r}, expected {wanted[i]!r}")


def to_arrow(relation):
    table = relation.arrow()
    return table if isinstance(table, pyarrow.Table) else table.read_all()


def main():
    expected_path, community, everything = sys.argv[1:]
    with open(expected_path, encoding="utf-8") as file:
        lines = [line.rstrip("\n").split("\t") for line in file]
    names, expected = lines[0], [list(column) for column in zip(*lines[1:])]

    with_arrow = pyarrow.parquet.read_table(community)
    compare("pyarrow", with_arrow, names, expected)
    compare("polars", polars.read_parquet(community).to_arrow(), names, expected)
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    compare("duckdb", to_arrow(con.sql(f"SELECT * FROM '{community}'")), names, expected)

    described = con.execute(f"DESCRIBE SELECT * FROM '{community}'").fetchall()
    found = [(row[0], row[1]) for row in described]
    kinds = {
        "uint8": "UTINYINT",
        "uint16": "USMALLINT",
        "uint32": "UINTEGER",
        "uint64": "UBIGINT",
        "int32": "INTEGER",
        "string": "VARCHAR",
        "timestamp[us, tz=UTC]": "TIMESTAMP WITH TIME ZONE",
    }
    wanted = [(field.name, kinds.get(str(field.type))) for field in with_arrow.schema]
    if found != wanted:
        fail(f"duckdb: DESCRIBE says {found}, expected {wanted}")

    # Filters go by statistics and the page index.
    middle = expected[3][len(expected[3]) // 2]
    count = sum(1 for time in expected[3] if time == middle)
    filters = {
        f"epoch_us(stime) = {middle}": count,
        "proto = 'TCP'": expected[8].count("TCP"),
        "dport = 53": expected[12].count("53"),
        "smac IS NULL": expected[42].count("null"),
    }
    for condition, wanted_count in filters.items():
        got = con.execute(f"SELECT count(*) FROM '{community}' WHERE {condition}").fetchall()[0][0]
        if got != wanted_count:
            fail(f"duckdb: {got} rows where {condition}, expected {wanted_count}")
    got = polars.scan_parquet(community).filter(polars.col("dport") == 53).collect().height
    if got != expected[12].count("53"):
        fail(f"polars: {got} rows where dport = 53, expected {expected[12].count('53')}")
    got = pyarrow.parquet.read_table(community, filters=[("dport", "=", 53)]).num_rows
    if got != expected[12].count("53"):
        fail(f"pyarrow: {got} rows where dport = 53, expected {expected[12].count('53')}")

    frame = with_arrow.select(["proto", "spkts"]).to_pandas()
    if int(frame["spkts"].sum()) != sum(int(value) for value in expected[19]):
        fail("pandas: sum of spkts differs")

    # All tiers' columns and the extra ones: what is not known is null everywhere.
    everywhere = {
        "pyarrow": pyarrow.parquet.read_table(everything),
        "polars": polars.read_parquet(everything).to_arrow(),
        "duckdb": to_arrow(con.sql(f"SELECT * FROM '{everything}'")),
    }
    for reader, table in everywhere.items():
        if table.num_columns != 73 or table.num_rows != len(expected[0]):
            fail(f"{reader}: {table.num_rows} rows of {table.num_columns} columns")
        for name in table.schema.names[44:]:
            nulls = table[name].null_count
            known = name in ("icmp_type", "icmp_code", "sttl", "dttl", "community_id")
            if known == (nulls == table.num_rows):
                fail(f"{reader}: {name} has {nulls} nulls")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
