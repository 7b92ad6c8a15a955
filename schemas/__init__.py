"""Events, outputs, model answers, errors and ids: what everything else speaks in."""
