"""Compaction by whole batches: a batch goes when each of its keys has a newer record."""

from collections.abc import Callable, Sequence

from clients.embedded_kafka.batch import Batch


def compacted(batches: Sequence[Batch], *, up_to: int, is_void: Callable[[Batch], bool]) -> list[Batch]:
    """Return the batches that are still needed; those at offset `up_to` and later all are.

    `is_void` tells the batches of aborted transactions: they go, and replace nothing.

    Coarser than Kafka's compaction: a batch with one record that is still needed stays whole, and
    tombstones stay for good. The last batch stays in any case, so that a reader can reach the end;
    markers are not needed once what they made void has gone.
    """
    newer: set[bytes] = set()
    kept: list[Batch] = []
    for batch in reversed(batches):
        if batch.base_offset >= up_to or not kept:
            kept.append(batch)
            continue
        if batch.is_control or is_void(batch):
            continue
        keys = [record.key for record in batch.records()]
        if any(key is None or key not in newer for key in keys):
            kept.append(batch)
        newer.update(key for key in keys if key is not None)
    kept.reverse()
    return kept
