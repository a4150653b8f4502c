"""The ``Idempotency-Key`` header."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Header, Request

from markethub.api.access import needs
from markethub.domain.errors import InputError
from markethub.domain.request_key import LONGEST_KEY
from markethub.services.access import Principal
from markethub.services.request_keys import KEPT_HOURS, RequestKey, name_request
from markethub.wire.model import RequestModel

HEADER = "Idempotency-Key"

may_backfill = needs("write:backfill")
"""One dependency for router and header, so that a token is looked up once a request."""

NameRequest = Callable[[RequestModel], RequestKey | None]


async def read_request_key(
    request: Request,
    principal: Annotated[Principal, Depends(may_backfill)],
    key: Annotated[
        str | None,
        Header(
            alias=HEADER,
            description="names this request: the same key with the same body is answered the same way and "
            f"queued once, for {KEPT_HOURS} hours; with another body it is a `CONFLICT`",
            examples=["0d1c7a52-3f8e-4b7e-9a55-6d0b8a3f2c11"],
            json_schema_extra={"pattern": "^[!-~]+$", "minLength": 1, "maxLength": LONGEST_KEY},
        ),
    ] = None,
) -> NameRequest:
    """Return what names a request by the caller's key; InputError when the header is there twice."""
    if len(request.headers.getlist(HEADER)) > 1:
        raise InputError(f"{HEADER} is given twice; send one")
    path = request.url.path

    def name(wanted: RequestModel) -> RequestKey | None:
        if key is None:
            return None
        # Without defaults: a field that a later release adds leaves older requests what they are.
        body = wanted.model_dump_json(exclude_defaults=True)
        return name_request(principal, key, f"{path} {body}".encode())

    return name


Naming = Annotated[NameRequest, Depends(read_request_key)]
