"""Grading: batches, the key, what a model may decide and what not, totals, and grading without a model."""
