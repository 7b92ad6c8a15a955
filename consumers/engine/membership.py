"""Who this worker is in its group, whether another process has taken its place, and whether it was expelled."""

import asyncio
import math

from aiokafka import AIOKafkaConsumer

from clients.group import confirm_membership, generation, is_replaced, member_id, watch_membership
from consumers.engine.lease import Lease
from schemas.errors import InstanceTakenError


class Membership:
    """Watches the place that a worker has in its group.

    By a `KAFKA_GROUP_INSTANCE_ID` Kafka lets the newest process in and the older one out. The older one must end: if it
    joined again, the two would take the place from each other without end, each time with a rebalance's worth of work.
    """

    def __init__(self, consumer: AIOKafkaConsumer, *, lease_seconds: float, reunion_seconds: float) -> None:
        self._consumer = consumer
        self._is_watched = False
        self.lease = Lease(lease_seconds)
        self._member_id = ""
        self._is_taken = False
        self.generation = 0
        """The group's, when it let us in last."""
        self._reunion_seconds = reunion_seconds
        self._reunion_ends = -math.inf
        self.was_expelled = False
        """Whether the group had taken us for dead before it lets us in again; perhaps the others, too."""

    def joined(self) -> None:
        """The group has let us in."""
        self._member_id, self.generation = member_id(self._consumer), generation(self._consumer)
        if self.was_expelled:
            self._reunion_ends = asyncio.get_running_loop().time() + self._reunion_seconds
        self.was_expelled = False

    @property
    def reunion_left(self) -> float:
        """For how many seconds others that were expelled with us may still come back; 0 if we were not."""
        return max(0.0, self._reunion_ends - asyncio.get_running_loop().time())

    async def about_to_rejoin(self) -> None:
        """To be called from aiokafka's rebalance callback: a rejoin under a new name is the moment to look.

        Raises CancelledError when the place is taken: nothing else keeps aiokafka's routine from joining again.
        """
        if not self._is_watched:
            watch_membership(self._consumer, confirmed=self.lease.renew, refused=self.lease.end)
            self._is_watched = True
        if self._member_id and member_id(self._consumer) != self._member_id:
            self._is_taken = await is_replaced(self._consumer, self._member_id)
            if self._is_taken:
                raise asyncio.CancelledError
            self.was_expelled = True

    async def confirm(self) -> None:
        """Raises KafkaError unless the group counts us among its members now.

        After an outage, or a freeze, a worker may not have learned yet that its tasks are others'. It asks as the
        member, and in the generation, to which they were given: aiokafka may have forgotten both, or have new ones.
        """
        await confirm_membership(self._consumer, self._member_id, self.generation)

    async def look(self) -> None:
        """After an error of Kafka's: aiokafka does not tell that a place was taken while it was joining.

        Only under the name that the group knows: one that was reset says nothing.
        """
        if self._member_id and member_id(self._consumer) == self._member_id:
            self._is_taken = await is_replaced(self._consumer, self._member_id)

    def check(self) -> None:
        """Raises InstanceTakenError when another process has our place."""
        if self._is_taken:
            raise InstanceTakenError("another process has joined the group under this worker's instance id")
