"""The promise of durable steps, with a real process and a real kill, in step 5 of 6, on a real Kafka; half a minute."""

import dataclasses
import json
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.chaos import job
from tests.chaos.kafka import read_json
from tests.chaos.scene import QUICK, Scene
from tests.chaos.stage import PaidService, paid_service, stage
from tests.chaos.waiting import wait_until

SECONDS = 30.0
TIMING = dataclasses.replace(QUICK, slow_call=(3.0, 3.0))
"""Step 5 lasts for longer than it takes to see that step 4 is committed."""


def send(scene: Scene, learner: str, event: dict[str, object]) -> None:
    producer = Producer({"bootstrap.servers": scene.broker.bootstrap_servers, "partitioner": "murmur2_random"})
    producer.produce(job.INPUT, json.dumps(event).encode(), key=learner.encode())
    assert producer.flush(SECONDS) == 0


def told_steps(scene: Scene) -> list[str]:
    """The steps whose results are committed."""
    return [told["step"] for _, told in read_json(scene.broker.bootstrap_servers, job.PROGRESS)]


def asked_steps(paid: PaidService) -> list[str]:
    """The steps that were paid for, or are just being."""
    return [call.step for call in paid.calls()]


@pytest.mark.timeout(120)
def test_a_worker_killed_in_step_five_of_six_resumes_at_step_five(own_kafka: Path, tmp_path: Path) -> None:
    with paid_service(tmp_path, TIMING) as paid, stage(tmp_path, TIMING, paid) as scene:
        event = {"eventId": "e-1", "userId": "ann", "n": 1, "row": 6, "slow": "step-5"}
        send(scene, "ann", event)
        wait_until(lambda: asked_steps(paid)[-1:] == ["step-5"], "step 5 to begin", SECONDS)
        wait_until(lambda: told_steps(scene)[-1:] == ["step-4"], "step 4 to be committed", SECONDS)
        [killed] = [worker for worker in scene.fleet.wanted if worker.incarnation == paid.calls()[-1].worker]
        assert asked_steps(paid)[-1] == "step-5"
        killed.kill()
        killed.wanted = False
        wait_until(lambda: scene.follower.count == 1, "the result", SECONDS)
        calls = paid.calls()
        [(_, result)] = read_json(scene.broker.bootstrap_servers, job.RESULTS)
        told = told_steps(scene)
    assert Counter(call.step for call in calls) == {f"step-{n}": 2 if n == 5 else 1 for n in range(1, 7)}
    by_the_next = [call for call in calls if call.worker != killed.incarnation]
    assert [call.step for call in by_the_next] == ["step-5", "step-6"]
    assert list(result["receipts"].values()) == [calls[n].id for n in (0, 1, 2, 3, 5, 6)]
    assert told == [f"step-{n}" for n in range(1, 7)]
