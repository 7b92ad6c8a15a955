"""The exam flow (seeds 002 and 003)."""
