"""The engine: lanes, progress, checkpoints, rebalances."""
