"""Progress is what keeps promise 1 over a crash: whatever finishes in whatever order, nothing is lost or repeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.engine.offsets import Progress, UnknownProgressError, decode, pack, unpack

gaps = st.lists(st.integers(1, 5), min_size=1, max_size=200)


def offsets_of(start: int, steps: list[int]) -> list[int]:
    """Ascending offsets with holes, as transaction markers and compaction leave them."""
    offsets, offset = [], start
    for step in steps:
        offsets.append(offset)
        offset += step
    return offsets


@given(start=st.integers(0, 10**12), steps=gaps, data=st.data())
def test_a_restored_position_knows_exactly_what_was_finished(start: int, steps: list[int], data: st.DataObject) -> None:
    offsets = offsets_of(start, steps)
    finished = data.draw(st.sets(st.sampled_from(offsets)))
    progress = Progress(start)
    slot = progress.accept(offsets)
    for index, offset in enumerate(offsets):
        if offset in finished:
            progress.finish(slot + index)
    next_offset, metadata = progress.encode("m")
    restored = decode(next_offset, metadata)
    unfinished = [offset for offset in offsets if offset not in finished]
    assert next_offset == (unfinished[0] if unfinished else offsets[-1] + 1)
    assert restored.done == {offset for offset in finished if offset >= next_offset}
    assert restored.marker == "m"
    assert progress.unfinished == len(unfinished)


@given(steps=gaps, data=st.data())
def test_an_offset_finished_by_an_earlier_owner_stays_done_over_any_number_of_owners(
    steps: list[int], data: st.DataObject
) -> None:
    """Each owner refetches some of the records, finishes some of those, commits and dies."""
    offsets = offsets_of(0, steps)
    position, done = decode(0, ""), set[int]()
    for _ in range(data.draw(st.integers(1, 5))):
        progress = Progress(position.next_offset, position.done)
        ahead = [offset for offset in offsets if offset >= position.next_offset]
        fetched = ahead[: data.draw(st.integers(0, len(ahead)))]
        if fetched:
            slot = progress.accept(fetched)
            for index, offset in enumerate(fetched):
                already = progress.is_done(slot + index)
                assert already == (offset in done)
                if not already and data.draw(st.booleans()):
                    progress.finish(slot + index)
                    done.add(offset)
        position = decode(*progress.encode("m"))
        assert position.done == {offset for offset in done if offset >= position.next_offset}
        assert all(offset in done for offset in offsets if offset < position.next_offset)


def test_a_full_window_finished_at_random_fits_into_kafkas_metadata() -> None:
    """20,000 records, every second one done, is the most that the window allows."""
    progress = Progress(0)
    slot = progress.accept(list(range(20_000)))
    for index in range(1, 20_000):
        if hash((index, "seed")) % 2:
            progress.finish(slot + index)
    assert len(progress.encode("7fffffff.7fff.ffff")[1]) < 4_000


@given(st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")))
def test_metadata_of_other_tools_means_nothing_beyond_the_offset(text: str) -> None:
    if text.startswith("ps"):
        return
    assert decode(5, text).done == frozenset()


@pytest.mark.parametrize("text", ["ps2;m;zabc", "ps1;m;qabc", "ps1;m;z" + "0" * 11, "ps1;m;r\u00e9"])
def test_progress_of_an_unknown_format_is_refused_rather_than_guessed(text: str) -> None:
    with pytest.raises(UnknownProgressError):
        decode(5, text)


@given(offset=st.integers(0, 2**63 - 1), metadata=st.text())
def test_what_is_committed_comes_back_from_the_changelog_as_it_was(offset: int, metadata: str) -> None:
    assert unpack(pack((offset, metadata))) == (offset, metadata)


@pytest.mark.parametrize("value", [b"", b"x ps1;a;", b"-1 ps1;a;", b"\xff\xfe"])
def test_a_damaged_position_in_the_changelog_is_refused_rather_than_guessed(value: bytes) -> None:
    with pytest.raises(UnknownProgressError):
        unpack(value)


def test_an_offset_that_was_passed_already_is_refused() -> None:
    progress = Progress(10)
    with pytest.raises(ValueError, match="passed already"):
        progress.accept([9])


def test_a_first_fetch_beyond_the_committed_offset_counts_the_gap_as_gone() -> None:
    """Retention deleted the records between: the commit moves on."""
    progress = Progress(10, ahead={12, 30})
    slot = progress.accept([20, 21])
    progress.finish(slot)
    assert progress.encode("m")[0] == 21
    assert decode(*progress.encode("m")).done == {30}
