"""What a store lets in as a patch: the check before anything of it is done."""

import pyarrow as pa

from markethub.domain.errors import StoreError
from markethub.ports.replication import Patch, RecordPatch, SeriesPatch
from markethub.ports.store import SeriesWrite
from markethub.stores.admission import admit_writes
from markethub.stores.questions import check_table
from markethub.stores.record_admission import admit_owner_claims, admit_records


def admit_patch(patch: Patch) -> Patch:
    """Return the patch with its tables as the store keeps them; StoreError if one breaks the rules."""
    for names in ([str(one.series) for one in patch.series], [one.table.name for one in patch.records]):
        if len(set(names)) < len(names):
            raise StoreError(f"{max(names, key=names.count)} stands twice in a patch")
    admitted = admit_writes([SeriesWrite(one.series, one.bars, one.claims) for one in patch.series])
    series = [
        SeriesPatch(one.series, write.bars, write.covered, one.cleared, one.unclaimed)
        for one, write in zip(patch.series, admitted, strict=True)
    ]
    return Patch(series, [_admit_records(one) for one in patch.records], patch.marks)


def _admit_records(patch: RecordPatch) -> RecordPatch:
    check_table(patch.table)
    keys = pa.schema([patch.table.schema.field(name) for name in patch.table.key])
    if not patch.deleted.schema.equals(keys):
        raise StoreError(f"{patch.table.name}: columns {patch.deleted.schema.names} are not those of its key")
    rows = admit_records(patch.table, patch.rows)
    claims = admit_owner_claims(patch.table, patch.claims)
    return RecordPatch(patch.table, rows, patch.deleted, claims, patch.unclaimed)
