"""Everything outside this process: Kafka, models, the content service."""
