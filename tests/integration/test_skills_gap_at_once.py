"""The skills-gap flow on a running worker: learners side by side, each one's updates one after the other."""

from consumers.topics import LEARNING_PATH
from tests.integration.gap_lab import GapLab, gap_event, gap_worker
from tests.integration.gap_neighbours import Neighbours
from tests.kafka import KafkaUnderTest


async def test_ten_learners_updates_run_at_once(embedded_service: KafkaUnderTest, neighbours: Neighbours) -> None:
    """The model answers nobody before ten calls are there at the same time."""
    neighbours.gemini.modes[:], neighbours.gemini.hold_until = ["held"], 10
    learners = [f"learner-{number}" for number in range(10)]
    async with gap_worker(embedded_service, **neighbours.settings) as (_, lab):
        await lab.gap(*(gap_event(learner) for learner in learners))
        paths = await lab.read(LEARNING_PATH, 10)
    assert neighbours.gemini.most_at_once == 10
    assert sorted(path["user_id"] for path in paths) == learners


async def test_two_updates_of_one_learner_never_run_at_once(
    embedded_service: KafkaUnderTest, neighbours: Neighbours
) -> None:
    """Neither of one competency nor of two: all were there before the first was answered, and each had its turn."""
    neighbours.gemini.modes[:], neighbours.gemini.slow_seconds = ["slow"], 0.05
    gaps = [{"Front End": [f"MGS_{number}"]} for number in range(3)]
    events = [gap_event(gap=gap, competency_target_name=name) for gap in gaps for name in ("React", "Vue")]
    lab = GapLab(embedded_service)
    await lab.gap(*events)
    async with gap_worker(embedded_service, **neighbours.settings):
        paths = await lab.read(LEARNING_PATH, 6)
    assert neighbours.gemini.most_at_once == 1
    assert [(path["competency_target_name"], path["revision"]) for path in paths] == [
        (name, revision) for revision in (1, 2, 3) for name in ("React", "Vue")
    ]
