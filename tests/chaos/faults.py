"""The faults, each as it happens; what is needed to recover from it (a restart, a thaw) is part of it."""

import random
import time
from collections.abc import Callable

from tests.chaos.account import Account
from tests.chaos.fleet import Worker
from tests.chaos.plan import FaultKind
from tests.chaos.scene import Act, Scene

_DELAY_SECONDS = 0.2
_STILL_A_MEMBER = 0.6
"""Share of the session timeout after which a worker may have lost its membership: heartbeats are a third of it."""
_TIME_TO_COMMIT = 2.0


def kill_worker(scene: Scene, account: Account, chance: random.Random) -> None:
    """kill -9; the next process starts at once, or after the group has gone on without it."""
    [worker], at_once = scene.pick(account, chance), chance.random() < 0.5
    account.strike(f"{worker.name}, restarted {'at once' if at_once else 'when the group has noticed'}", kills=[worker])
    worker.kill()
    if not at_once:
        scene.wait_until_expelled(worker, account)
    worker.start()


def freeze_worker(scene: Scene, account: Account, chance: random.Random) -> None:
    """SIGSTOP until the group has given its tasks away: it wakes up as a zombie that thinks it has them."""
    [worker] = scene.pick(account, chance)
    account.strike(worker.name, blinds=[worker], overtaken=True)
    worker.freeze()
    scene.wait_until_expelled(worker, account)
    time.sleep(chance.uniform(0, 1))
    worker.thaw()
    account.mend()


def restart_worker(scene: Scene, account: Account, chance: random.Random) -> None:
    """SIGTERM, as a deployment does it."""
    [worker] = scene.pick(account, chance)
    account.strike(worker.name)
    _end(worker)
    worker.start()


def join_worker(scene: Scene, account: Account, chance: random.Random) -> None:
    """One more worker."""
    worker = chance.choice(scene.fleet.resting)
    account.strike(worker.name)
    worker.start()


def leave_worker(scene: Scene, account: Account, chance: random.Random) -> None:
    """SIGTERM, and it stays away."""
    [worker] = scene.pick(account, chance)
    account.strike(worker.name)
    worker.wanted = False
    _end(worker)


def kill_broker(scene: Scene, account: Account, _chance: random.Random) -> None:
    """kill -9 of the broker, and its restart on its data."""

    def kill_and_restart() -> None:
        scene.broker.kill()
        scene.broker.restart()

    _without_broker(scene, account, "the broker", kill_and_restart)


def freeze_broker(scene: Scene, account: Account, chance: random.Random) -> None:
    """The broker keeps its connections and answers nothing."""
    seconds = chance.uniform(*scene.timing.broker_frozen)

    def freeze_and_thaw() -> None:
        scene.broker.freeze()
        time.sleep(seconds)
        scene.broker.thaw()

    _without_broker(scene, account, f"the broker, {seconds:.1f} s", freeze_and_thaw)


def _without_broker(scene: Scene, account: Account, whom: str, act: Callable[[], None]) -> None:
    """Only who is told to end before or meanwhile, and may not wait for the broker, loses anything."""
    before = {worker: worker.incarnation for worker in (*scene.fleet.wanted, *scene.struck_otherwise(account))}
    account.strike(whom, blinds=before)
    act()
    ending = {before[worker] for worker in scene.struck_otherwise(account) if worker in before}
    patience = scene.timing.shutdown - _TIME_TO_COMMIT
    account.mend(spares=lambda name, seconds: name not in ending or seconds < patience)


def wipe_state(scene: Scene, account: Account, chance: random.Random) -> None:
    """kill -9, and the worker's STATE_DIR is gone."""
    [worker] = scene.pick(account, chance)
    account.strike(worker.name, kills=[worker])
    worker.kill()
    worker.disk.wipe()
    worker.start()


def fill_disk(scene: Scene, account: Account, chance: random.Random) -> None:
    """No room for RocksDB on a worker's disk; meanwhile another worker restarts, so that tasks move onto that disk."""
    full, other = scene.pick(account, chance, 2)
    account.strike(
        f"{full.name} ({full.disk.name}), while {other.name} restarts", fills=() if full.disk.is_forgiving else [full]
    )
    full.disk.fill(full.pid)
    try:
        _end(other)
        time.sleep(chance.uniform(2, 5))
        other.start()
    finally:
        full.disk.free(full.pid)


def cut_network(scene: Scene, account: Account, chance: random.Random) -> None:
    """TCP between one worker, or all, and the broker: reset and refused, or open and silent."""
    workers = scene.fleet.wanted if chance.random() < 0.5 else scene.pick(account, chance)
    silent, seconds = chance.random() < 0.5, chance.uniform(1, scene.timing.session + 3)
    how = f"{_named(workers)}, {'silent' if silent else 'reset'} for {seconds:.1f} s"
    account.strike(how, blinds=workers, overtaken=len(workers) < len(scene.fleet.wanted))
    for worker in workers:
        scene.on_network(worker.link.hush() if silent else worker.link.cut())
    time.sleep(seconds)
    for worker in workers:
        scene.on_network(worker.link.mend())
    account.mend(spares=lambda _name, seconds: seconds < _STILL_A_MEMBER * scene.timing.session)


def delay_network(scene: Scene, account: Account, chance: random.Random) -> None:
    """Everything between one worker, or all, and the broker arrives 200 ms later, each way."""
    workers = scene.fleet.wanted if chance.random() < 0.5 else scene.pick(account, chance)
    seconds = chance.uniform(3, 6)
    account.strike(f"{_named(workers)}, for {seconds:.1f} s")
    for worker in workers:
        scene.on_network(worker.link.delay(_DELAY_SECONDS))
    time.sleep(seconds)
    for worker in workers:
        scene.on_network(worker.link.delay(0.0))


FAULTS: dict[FaultKind, Act] = {
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
