"""Records on their way out: built, packed, dead-lettered, sent in transactions."""
