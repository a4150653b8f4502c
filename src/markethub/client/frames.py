"""Tables in the form a caller works with."""

from typing import TYPE_CHECKING, Any, Literal

from markethub.domain.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

TableForm = Literal["arrow", "pandas", "polars"]


def convert_table(table: "pa.Table", form: TableForm) -> Any:  # noqa: ANN401  (the overloads of klines() say which)
    """Return ``table`` itself, or as a pandas or polars frame with the same columns and UTC times.

    MissingExtraError where pandas is not installed; InputError for any other form.
    """
    match form:
        case "arrow":
            return table
        case "polars":
            return _to_polars(table)
        case "pandas":
            return _to_pandas(table)
    raise InputError(f"as_ {form!r} is not one of arrow, pandas, polars")


def _to_polars(table: "pa.Table") -> "pl.DataFrame | pl.Series":
    import polars as pl  # noqa: PLC0415  (heavy; only who asks for it pays)

    return pl.from_arrow(table)


def _to_pandas(table: "pa.Table") -> "pd.DataFrame":
    try:
        import pandas as pd  # noqa: PLC0415  (the table needs it, and asks in an unclear way)
    except ModuleNotFoundError as error:
        raise MissingExtraError("pandas is not installed: pip install 'markethub[pandas]'") from error
    frame: pd.DataFrame = table.to_pandas()
    return frame
