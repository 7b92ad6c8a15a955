"""The services around a worker of the skills-gap flow, on loopback: content service, Skills Engine, model."""

from typing import Any

from pydantic import SecretStr

from clients.content_service_stub import ContentServiceStub
from clients.skills_engine_stub import SkillsEngineStub
from tests.gemini_server import GeminiServer

CONTENT, ENGINE = "content service", "Skills Engine"


class Neighbours:
    """The services around a worker; each of their calls can be kept without an answer."""

    def __init__(self, content: ContentServiceStub, engine: SkillsEngineStub, gemini: GeminiServer) -> None:
        self.content = content
        self.engine = engine
        self.gemini = gemini

    def calls(self, call: str) -> int:
        """How many came in, answered or not."""
        counts = {CONTENT: self.content.calls, ENGINE: self.engine.calls}
        return sum(counts[call].values()) if call in counts else self.gemini.calls[call]

    def hold(self, call: str) -> None:
        """From now on nobody answers this."""
        if call == CONTENT:
            self.content.fault = "silent"
        elif call == ENGINE:
            self.engine.fault = "silent"
        else:
            self.gemini.by_schema[call] = "silent"

    def let_go(self) -> None:
        self.content.fault = self.engine.fault = None
        self.gemini.by_schema.clear()

    @property
    def settings(self) -> dict[str, Any]:
        """For a worker in this process."""
        return {
            "content_service_base_url": self.content.base_url,
            "skills_engine_base_url": self.engine.base_url,
            "llm_provider": "gemini",
            "GOOGLE_API_KEY": SecretStr("test-key"),
            "llm_base_url": self.gemini.base_url,
        }

    @property
    def environment(self) -> dict[str, str]:
        """For a worker in a process of its own: patient, so that a call without an answer is not made again."""
        return {
            "CONTENT_SERVICE_BASE_URL": self.content.base_url,
            "SKILLS_ENGINE_BASE_URL": self.engine.base_url,
            "LLM_PROVIDER": "gemini",
            "GOOGLE_API_KEY": "test-key",
            "LLM_BASE_URL": self.gemini.base_url,
            "COMMIT_INTERVAL_MS": "20",
            "KAFKA_GROUP_INSTANCE_ID": "the-one",
            **{f"{name}_TIMEOUT_SECONDS": "120" for name in ("CONTENT_SERVICE", "SKILLS_ENGINE", "LLM")},
        }
