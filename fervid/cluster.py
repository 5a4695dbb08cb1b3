"""Files analysed on a Ray cluster (`--ray ADDRESS`): the same task, on several machines.

All machines have fervid installed, in this version and with this model, and see the files and the
results' folder under the same paths, as on a shared file system, or fetch the files themselves. A
machine that is lost costs nothing but time: Ray gives its files to others, which write them again
from the start.
"""

import contextlib
import os
import platform
import socket
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from fervid import __version__
from fervid.config import RunConfig
from fervid.errors import FervidError, LibraryMissing
from fervid.interrupt import held_interrupt, kept_handler
from fervid.outputs import Target
from fervid.task import Outcome, analyse_file, failed, interrupted, open_session
from fervid.workers import STOP_S, WAIT_S, Show, Take, lost

# How often a file is begun again after its machine or process was lost.
RETRIES = 3
ANSWER_S = 5.0  # in which a cluster's address must take a connection; Ray itself tries for minutes
START = "start one by `RAY_USAGE_STATS_ENABLED=0 ray start --head`, or check --ray"


def analyse_there(config: RunConfig, target: Target, digest: str, version: str) -> Outcome:
    """The task as Ray runs it, somewhere; with a network of its own.

    Args:
        config: of the run.
        target: the source and where its outputs go.
        digest: of the model's file where the run was begun.
        version: of fervid there.
    """
    with open_session(config, max(1, config.cores.threads)) as session:
        if (session.digest, __version__) != (digest, version):
            raise FervidError(
                f"{platform.node()} has fervid {__version__} with another model or version "
                f"than {version} where the run began; install the same on all machines."
            )
        try:
            return analyse_file(session, target)
        except KeyboardInterrupt:
            return interrupted(session, target)
        except FervidError:
            raise
        except Exception as error:  # noqa: BLE001 - it costs this file only, and is told
            return failed(session, target, error)


class Cluster:
    """A Ray cluster; a context manager that leaves it as it was.

    Args:
        config: of the run; names the cluster's address.
        digest: of the model's file.

    Raises:
        LibraryMissing: Ray is not installed.
        FervidError: no cluster answers, or it has another Python or Ray.
    """

    def __init__(self, config: RunConfig, digest: str) -> None:
        self._config, self._digest = config, digest
        self._ray = _import()
        _connect(self._ray, str(config.cores.ray))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with held_interrupt():
            self._ray.shutdown()

    def run(self, targets: Sequence[Target], take: Take, show: Show) -> None:
        """Have every target analysed; as `Workers.run`."""
        ray = self._ray
        task = ray.remote(num_cpus=max(1, self._config.cores.threads), max_retries=RETRIES)(
            analyse_there
        )
        config = ray.put(self._config)

        def begin(targets: Sequence[Target]) -> dict[Any, Target]:
            return {task.remote(config, t, self._digest, __version__): t for t in targets}

        begun = begin(targets)
        try:
            while begun:
                ended, _ = ray.wait(list(begun), timeout=WAIT_S)
                for reference in ended:
                    target = begun.pop(reference)
                    begun |= begin(take(target, self._outcome(reference, target)) or ())
                show(())
        except KeyboardInterrupt:
            with held_interrupt():
                self._stop(begun, take)
            raise

    def _outcome(self, reference: Any, target: Target) -> Outcome:
        """What became of a task.

        Raises:
            FervidError: what would stop every other task too, such as another version there.
        """
        errors = self._ray.exceptions
        try:
            outcome: Outcome = self._ray.get(reference)
        except errors.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, FervidError):
                raise cause from error
            raise FervidError(
                f"The Ray cluster cannot run fervid ({type(cause).__name__}: {cause}); install the "
                "same version on all its machines."
            ) from error
        except errors.RayError as error:
            how = f"was lost {RETRIES + 1} times ({type(error).__name__})"
            return lost(self._config, target, how)
        return outcome

    def _stop(self, begun: dict[Any, Target], take: Take) -> None:
        """Have files that are under way closed, as after Ctrl-C in a single process."""
        for reference in begun:
            self._ray.cancel(reference, force=False)
        until = time.monotonic() + STOP_S
        while begun and time.monotonic() < until:
            ended, _ = self._ray.wait(list(begun), timeout=0.1)
            for reference in ended:
                target = begun.pop(reference)
                with contextlib.suppress(self._ray.exceptions.RayError):
                    take(target, self._ray.get(reference))


def _import() -> Any:
    """Ray, with its usage statistics off.

    Raises:
        LibraryMissing: it is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # it is read when Ray is imported
    try:
        import ray
    except ImportError as error:
        raise LibraryMissing(
            "--ray needs Ray, which is not installed here; pip install 'fervid[ray]', or use "
            "--jobs for one machine.",
            "ray",
        ) from error
    return ray


def _connect(ray: Any, address: str) -> None:
    """Join a cluster that is there.

    Raises:
        FervidError: none answers, or it cannot be joined.
    """
    try:
        _knock(address)
        with kept_handler():  # Ray's ends the process at once, and no file is closed
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except Exception as error:
        what = str(error).strip().splitlines() or [type(error).__name__]
        raise FervidError(
            f"The Ray cluster {address} cannot be joined ({what[0].rstrip('.')[:200]}); {START}."
        ) from error


def _knock(address: str) -> None:
    """See whether anybody listens at the address of a cluster, if it names a host and a port.

    Raises:
        OSError: nobody does.
        ValueError: the port is none.
    """
    place = urlsplit(address if "://" in address else f"ray://{address}")
    if place.hostname and place.port:
        socket.create_connection((place.hostname, place.port), ANSWER_S).close()
