"""Every number the engine runs by, with its unit. `consumers/settings.py` fills it from the environment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much, how long, how often; the defaults are those of the contracts and of the design's measurements."""

    max_in_flight: int = 256
    """Events handled at once by one flow of a process: the size of its worker pool."""
    max_buffered_bytes: int = 64 * 2**20
    """Bytes of unfinished records, uncommitted results and unwritten state; above it only tasks below their share
    are polled, below `low_water` all are. So about twice as much is the most there can be."""
    low_water: float = 0.8
    """Share of `max_buffered_bytes` at which polling goes on again."""
    window: int = 20_000
    """Offsets between a partition's first unfinished record and the newest accepted one."""
    max_event_bytes: int = 2**20
    """A larger value is a dead letter."""
    commit_interval_seconds: float = 0.1
    """What a task has finished is usually committed within this time, if commits take less than half of it."""
    commit_patience_seconds: float = 1.0
    """While a commit of a task takes longer than this, nothing of the task begins; less if commits are usually quick
    (`pace.py`)."""
    max_attempts: int = 5
    """Attempts at one event before a retriable failure becomes a dead letter."""
    max_retry_seconds: float = 300.0
    """Time from the first failure of one event after which it is not retried any more."""
    retry_base_seconds: float = 0.5
    """First pause between two attempts; doubled each time, with jitter."""
    retry_cap_seconds: float = 30.0
    """Longest pause between two attempts."""
    revoke_seconds: float = 10.0
    """How long a rebalance may wait for what is in flight, and commit; below the rebalance timeout."""
    shutdown_seconds: float = 30.0
    """How long a shutdown may take for the same, all flows together."""
    last_commit_seconds: float = 3.0
    """The part of the two above that is kept for the commit."""
    transaction_timeout_seconds: float = 10.0
    """After it the broker itself aborts a transaction whose owner went silent."""
    request_timeout_seconds: float = 15.0
    """One request to a broker."""
    session_timeout_seconds: float = 10.0
    """Without a heartbeat for this long the group takes the worker for dead."""
    rebalance_timeout_seconds: float = 20.0
    """How long the group waits for a worker to rejoin; one that lives needs `revoke_seconds` and a heartbeat."""
    reunion_seconds: float = 4.0
    """How long a worker that was expelled leaves others' tasks alone: after an outage all come back, one by one.

    And for how long the group has to call us no member before a last commit is given up; a worker that has noticed its
    expulsion waits to be let in again.
    """
    recovery_backoff_seconds: float = 0.5
    """Pause before a task that failed to open, or to commit, is opened again, or a busy store is tried again."""
    poll_seconds: float = 0.2
    """Longest wait of one poll; bounds how late a newly active task is polled."""
    poll_max_records: int = 4_000
    """Records one poll takes at most; bounds by how much `window` and `max_buffered_bytes` are passed."""
    fetch_wait_ms: int = 20
    """How long the broker may wait for new records before it answers a fetch, in milliseconds."""
    idle_seconds: float = 0.01
    """Pause before looking again while no partition may be polled."""
    metadata_max_chars: int = 4_000
    """Longest progress map; Kafka's `offset.metadata.max.bytes` is 4,096 by default."""

    @property
    def lease_seconds(self) -> float:
        """For how long the group's word counts that we are its member; for twice that nobody is given our tasks.

        So what is begun at its end, a step or a fence, has the other half to end.
        """
        return self.session_timeout_seconds / 2
