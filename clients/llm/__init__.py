"""Language models: the port, what asks through it and what wraps it.

A provider is imported from its own module (`clients.llm.gemini`): nobody loads an SDK they do not use.
"""

from clients.llm.ask import Asked, ask
from clients.llm.base import Answer, Model, Prompt, Usage
from clients.llm.retry import RetryingModel

__all__ = ["Answer", "Asked", "Model", "Prompt", "RetryingModel", "Usage", "ask"]
