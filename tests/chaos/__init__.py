"""Proof under fire: real workers on a real Kafka, every kind of fault, and a judge that shares no code with the engine.

`worker.py` alone uses the engine; all else here knows Kafka by librdkafka and the job by `job.py`.
"""
