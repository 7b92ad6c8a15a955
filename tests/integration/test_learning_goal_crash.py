"""A learning goal whose worker dies while the model plans."""

import asyncio
import json
from pathlib import Path

from clients.content_service_stub import ContentServiceStub
from consumers.topics import PATH_PROGRESS
from tests.gemini_server import GeminiServer
from tests.integration.lab import until
from tests.integration.service import Service, goal_event
from tests.integration.workers import WorkerProcess
from tests.kafka import KafkaUnderTest, free_port


async def test_a_worker_killed_while_the_model_plans_has_read_the_offer_for_good(
    service: KafkaUnderTest, content: ContentServiceStub, tmp_path: Path
) -> None:
    """The content service is asked once, the model for the plan that was lost, and each progress is told once."""
    flow = Service(service)
    async with GeminiServer(holds=lambda _request: len(gemini.requests) == 1) as gemini:
        settings = {
            "CONTENT_SERVICE_BASE_URL": content.base_url,
            "LLM_PROVIDER": "gemini",
            "GOOGLE_API_KEY": "test-key",
            "LLM_BASE_URL": gemini.base_url,
            "COMMIT_INTERVAL_MS": "20",
        }
        for log in ("first", "second"):
            worker = WorkerProcess(service.bootstrap_servers, tmp_path / log, free_port(), settings)
            worker.start()
            try:
                await asyncio.to_thread(worker.wait_until_ready)
                if log == "first":
                    await flow.send(goal_event())
                    await until(lambda: gemini.at_once == 1, "the model to be asked")
                    await flow.read(PATH_PROGRESS)  # committed together with the step before
                    worker.kill()
                else:
                    path = await flow.path()
            finally:
                worker.close()
        gemini.release()
    progress = [json.loads(record.value)["progress"] for record in await flow.read(PATH_PROGRESS, 3)]
    assert path["degraded"] is False
    assert set(content.calls.values()) == {1}
    assert len(gemini.requests) == 2
    assert progress == [30, 90, 100]
