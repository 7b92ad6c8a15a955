"""Two trials of a candidate: how fast it is, and what is left of its guarantee after a kill."""

import time
from dataclasses import dataclass

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.benchmarks.load import Load, prepare
from tests.benchmarks.peers.candidates import Candidate
from tests.benchmarks.peers.outputs import Outputs, reading
from tests.benchmarks.peers.program import Program

IDLE_SECONDS = 25.0
"""Then nothing comes any more: twice the time after which a dead worker is given up, and a start."""
VOLUME_SECONDS = 60.0
IN_FLIGHT_SECONDS = 0.5
"""What a killed process has sent may arrive that late; no process starts that fast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of a candidate gave."""

    outputs: Outputs
    peak_mib: float | None = None
    outage_seconds: float | None = None
    """From the kill to the next output that a reader could see; None if there was none."""


async def undisturbed(candidate: Candidate, servers: str, events: int, work_seconds: float) -> Run:
    """Run a candidate over fresh topics. Raises RuntimeError when it ends by itself."""
    load = await _prepare(servers, events)
    async with Program(candidate, load, work_seconds) as program, reading(load) as reader:
        outputs = reader.outputs
        await program.start()
        await reader.wait_for_volume(seconds=VOLUME_SECONDS, alive=program.check)
        await reader.read_until(lambda: outputs.complete, idle_seconds=IDLE_SECONDS, alive=program.check)
        return Run(outputs=outputs, peak_mib=program.peak_mib())


async def killed(candidate: Candidate, servers: str, events: int, work_seconds: float) -> Run:
    """Run a candidate over fresh topics; kill -9 once a reader has half of the outputs, and start it again at once."""
    load = await _prepare(servers, events)
    async with Program(candidate, load, work_seconds) as program, reading(load) as reader:
        outputs = reader.outputs
        await program.start()
        await reader.read_until(lambda: outputs.found >= events / 2, idle_seconds=IDLE_SECONDS, alive=program.check)
        await program.kill()
        kill = time.time()
        await program.start()

        def is_back() -> bool:
            return outputs.last_append > kill + IN_FLIGHT_SECONDS

        await reader.read_until(is_back, idle_seconds=IDLE_SECONDS, alive=program.check)
        back = time.time() if is_back() else None
        await reader.read_until(lambda: outputs.complete, idle_seconds=IDLE_SECONDS, alive=program.check)
        return Run(outputs=outputs, outage_seconds=back and back - kill)


async def _prepare(servers: str, events: int) -> Load:
    """Fresh topics; the broker stamps the outputs, with one clock for all candidates."""
    load = await prepare(servers, events)
    admin = load.connection.admin()
    await admin.start()
    try:
        stamps = {"message.timestamp.type": "LogAppendTime"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, load.target, configs=stamps)])
    finally:
        await admin.close()
    return load
