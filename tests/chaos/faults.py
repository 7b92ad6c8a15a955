"""The faults, each as it happens; what is needed to recover from it (a restart, a thaw) is part of it."""

import random
import time
from collections.abc import Callable

from tests.chaos.fleet import Worker
from tests.chaos.plan import FaultKind
from tests.chaos.scene import Scene

Fault = Callable[[Scene, random.Random], None]

_DELAY_SECONDS = 0.2


def kill_worker(scene: Scene, chance: random.Random) -> None:
    """kill -9; the next process starts at once, or after the group has gone on without it."""
    worker, at_once = scene.pick(chance), chance.random() < 0.5
    scene.strike(f"{worker.name}, restarted {'at once' if at_once else 'when the group has noticed'}", [worker])
    worker.kill()
    if not at_once:
        scene.wait_until_expelled(worker)
    worker.start()


def freeze_worker(scene: Scene, chance: random.Random) -> None:
    """SIGSTOP until the group has given its tasks away: it wakes up as a zombie that thinks it has them."""
    worker = scene.pick(chance)
    scene.strike(worker.name, [worker])
    worker.freeze()
    scene.wait_until_expelled(worker)
    time.sleep(chance.uniform(0, 1))
    worker.thaw()


def restart_worker(scene: Scene, chance: random.Random) -> None:
    """SIGTERM, as a deployment does it."""
    worker = scene.pick(chance)
    scene.strike(worker.name)
    _end(worker)
    worker.start()


def join_worker(scene: Scene, chance: random.Random) -> None:
    """One more worker."""
    worker = chance.choice(scene.fleet.resting)
    scene.strike(worker.name)
    worker.start()


def leave_worker(scene: Scene, chance: random.Random) -> None:
    """SIGTERM, and it stays away."""
    worker = scene.pick(chance)
    scene.strike(worker.name)
    worker.wanted = False
    _end(worker)


def kill_broker(scene: Scene, _chance: random.Random) -> None:
    """kill -9 of the broker, and its restart on its data."""
    scene.strike_all("the broker")
    scene.broker.kill()
    scene.broker.restart()


def freeze_broker(scene: Scene, _chance: random.Random) -> None:
    """The broker keeps its connections and answers nothing."""
    scene.strike_all(f"the broker, {scene.timing.broker_frozen:.0f} s")
    scene.broker.freeze()
    time.sleep(scene.timing.broker_frozen)
    scene.broker.thaw()


def wipe_state(scene: Scene, chance: random.Random) -> None:
    """kill -9, and the worker's STATE_DIR is gone."""
    worker = scene.pick(chance)
    scene.strike(worker.name, [worker])
    worker.kill()
    worker.disk.wipe()
    worker.start()


def fill_disk(scene: Scene, chance: random.Random) -> None:
    """No room for RocksDB on a worker's disk; meanwhile another worker restarts, so that tasks move onto that disk."""
    full, other = chance.sample(scene.fleet.wanted, 2)
    scene.strike(f"{full.name} ({full.disk.name}), while {other.name} restarts", [full])
    full.disk.fill(full.pid)
    try:
        _end(other)
        time.sleep(chance.uniform(2, 5))
        other.start()
    finally:
        full.disk.free(full.pid)


def cut_network(scene: Scene, chance: random.Random) -> None:
    """TCP between one worker, or all, and the broker: reset and refused, or open and silent."""
    workers = scene.fleet.wanted if chance.random() < 0.5 else [scene.pick(chance)]
    silent, seconds = chance.random() < 0.5, chance.uniform(1, scene.timing.session + 3)
    scene.strike(f"{_named(workers)}, {'silent' if silent else 'reset'} for {seconds:.1f} s", workers)
    for worker in workers:
        scene.on_network(worker.link.hush() if silent else worker.link.cut())
    time.sleep(seconds)
    for worker in workers:
        scene.on_network(worker.link.mend())


def delay_network(scene: Scene, chance: random.Random) -> None:
    """Everything between one worker, or all, and the broker arrives 200 ms later, each way."""
    workers = scene.fleet.wanted if chance.random() < 0.5 else [scene.pick(chance)]
    seconds = chance.uniform(3, 6)
    scene.strike(f"{_named(workers)}, for {seconds:.1f} s", workers)
    for worker in workers:
        scene.on_network(worker.link.delay(_DELAY_SECONDS))
    time.sleep(seconds)
    for worker in workers:
        scene.on_network(worker.link.delay(0.0))


FAULTS: dict[FaultKind, Fault] = {
    "kill_worker": kill_worker,
    "freeze_worker": freeze_worker,
    "restart_worker": restart_worker,
    "join_worker": join_worker,
    "leave_worker": leave_worker,
    "kill_broker": kill_broker,
    "freeze_broker": freeze_broker,
    "wipe_state": wipe_state,
    "fill_disk": fill_disk,
    "cut_network": cut_network,
    "delay_network": delay_network,
}


def _named(workers: list[Worker]) -> str:
    return "all workers" if len(workers) > 1 else workers[0].name


def _end(worker: Worker) -> None:
    """SIGTERM; a worker that does not end in good order is a failure of the run."""
    if (code := worker.terminate()) != 0:
        raise RuntimeError(f"{worker.name} ended with {code} after SIGTERM")
