"""Translation of database errors, done once for both engines."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from markethub.domain.errors import ConflictError, MarketHubError, StoreError, UnavailableError

# connection, rollback (deadlock, serialization), resources, lock not available, operator intervention
# Source: PostgreSQL Documentation, "PostgreSQL Error Codes"
_PASSING_SQLSTATES = ("08", "40", "53", "55P03", "57")
_CLASS_PREFIX = re.compile(r"<class '[^']*'>: ")  # SQLAlchemy puts it before what asyncpg says


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise what the database driver raises inside as MarketHub errors; other errors pass unchanged.

    Raises:
        UnavailableError: away, busy, full or interrupted; the same work may succeed later.
        ConflictError: a key exists already, or a row is still referred to.
        StoreError: anything else; trying again is useless.
    """
    try:
        yield
    except IntegrityError as error:
        raise ConflictError(f"control database: {_first_line(error)}") from error
    except DBAPIError as error:
        raise _translate(error) from error
    except PoolTimeoutError as error:
        raise UnavailableError("control database: every connection is in use") from error
    except (ConnectionError, TimeoutError) as error:
        raise UnavailableError(f"control database: {str(error) or type(error).__name__}") from error


def _translate(error: DBAPIError) -> MarketHubError:
    message = f"control database: {_first_line(error)}"
    sqlstate = getattr(error.orig, "sqlstate", None) or ""
    if (
        error.connection_invalidated
        or isinstance(error, OperationalError | InterfaceError)
        or sqlstate.startswith(_PASSING_SQLSTATES)
    ):
        return UnavailableError(message)
    return StoreError(message)


def _first_line(error: DBAPIError) -> str:
    # the driver's words only: SQLAlchemy's own text repeats the statement with its values
    return _CLASS_PREFIX.sub("", str(error.orig)).partition("\n")[0][:300]
