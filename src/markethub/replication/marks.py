"""The marks that replication keeps in a store, beside the reign's."""

FOLLOWED_MARK = "replica"
"""How far the store has followed another: its watermark."""
COPY_MARK = "replica_copy"
"""How far a snapshot has come; gone when it is done."""
VERIFIED_MARK = "verified"
"""The last verification."""
