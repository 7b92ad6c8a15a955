"""Ids are UUIDs of version 5, whoever computes them."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import Coordinates, EventId, LearnerId, derived_event_id, output_id

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "pathstream")
TEXT = st.text(st.characters(codec="utf-8"))


@given(event_id=TEXT, learner_id=TEXT, place=TEXT)
def test_an_outputs_id_is_the_version_5_uuid_of_its_event_learner_and_place(
    event_id: str, learner_id: str, place: str
) -> None:
    expected = uuid.uuid5(NAMESPACE, f"{event_id}\0{learner_id}\0{place}")
    assert output_id(EventId(event_id), LearnerId(learner_id), place) == str(expected)


@given(topic=TEXT, partition=st.integers(0), offset=st.integers(0))
def test_an_event_without_an_id_has_that_of_its_coordinates(topic: str, partition: int, offset: int) -> None:
    at = Coordinates(topic=topic, partition=partition, offset=offset)
    assert derived_event_id(at) == str(uuid.uuid5(NAMESPACE, f"{topic}-{partition}-{offset}"))
