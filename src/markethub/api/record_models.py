"""What a page of records looks like, for the OpenAPI document: made from the tables themselves."""

from typing import Annotated, Any

import pyarrow as pa
from pydantic import Field, create_model

from markethub.tables.records import RecordTable
from markethub.wire.model import AnswerModel
from markethub.wire.pagination import Pagination
from markethub.wire.times import AnswerTime

_Amount = Annotated[str, Field(description="an exact decimal number", pattern=r"^-?\d{1,20}(\.\d{1,18})?$")]

_TYPES: tuple[tuple[Any, Any], ...] = (
    (pa.types.is_timestamp, AnswerTime),
    (pa.types.is_decimal, _Amount),
    (pa.types.is_floating, float),
    (pa.types.is_integer, int),
    (pa.types.is_string, str),
    (pa.types.is_list, list[float]),
)


def describe_page(table: RecordTable, name: str) -> type[AnswerModel]:
    """The model of ``{"data": [rows], "pagination": ...}`` whose rows, called ``name``, are the table's."""
    fields: dict[str, Any] = {field.name: (_type_of(field), ...) for field in table.schema}
    row = create_model(name, __base__=AnswerModel, __doc__=f"One row of {table.name}.", **fields)
    page: type[AnswerModel] = create_model(
        f"{name}List",
        __base__=AnswerModel,
        __doc__=f"A page of {table.name}.",
        data=(list[row], ...),
        pagination=(Pagination, ...),
    )
    return page


def _type_of(field: pa.Field) -> Any:  # noqa: ANN401  (a type, or a union of types)
    kind = next(kind for fits, kind in _TYPES if fits(field.type))
    return kind | None if field.nullable else kind
