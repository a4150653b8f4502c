"""The key by which a caller names a request, so that one sent twice is carried out once."""

import re

from markethub.domain.errors import InputError

LONGEST_KEY = 255
_KEY = re.compile(rf"[!-~]{{1,{LONGEST_KEY}}}")


def check_request_key(text: str) -> str:
    """Return ``text`` as it is; InputError unless it is 1 to 255 visible ASCII characters."""
    if _KEY.fullmatch(text) is None:
        raise InputError(
            f"Idempotency-Key {text[:60]!r} is not 1 to {LONGEST_KEY} visible ASCII characters; "
            "a UUID is a good one"
        )
    return text
