"""The commands of `pathstream`, one file per group."""
