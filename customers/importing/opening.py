"""Which format is this file, and who reads it?

Owns telling CSV from Parquet by what the file holds, never by its name.
"""

from pathlib import Path

from core.errors import Invalid, NotFound
from customers.importing.csv_files import CsvSource
from customers.importing.parquet_files import ParquetSource
from customers.importing.sources import Source


def open_source(path: Path, known: frozenset[str]) -> Source:
    """Open a CSV or Parquet file; `known` column names help to tell the delimiter. Raises Invalid, NotFound."""
    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    if path.stat().st_size == 0:
        raise Invalid(f"{path.name} is empty.")
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    return ParquetSource(path) if is_parquet else CsvSource(path, known)
