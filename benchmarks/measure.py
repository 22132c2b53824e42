"""What every benchmark needs: the row of a result, a fresh process, and its peak memory."""

import multiprocessing
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Row:
    """One comparison: our number, a peer's, and the target for their ratio or for our number."""

    what: str
    unit: str
    ours: float
    peer_name: str
    peer: float
    to_reach: str
    reached: bool
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours divided by the peer's."""
        return self.ours / self.peer

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio}


def in_fresh_process(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The result of a module's function, called in a new Python process.

    What ran before makes it neither faster nor larger.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def peak_memory() -> int:
    """The most memory that this process ever held, in bytes.

    VmHWM if there is one: on Linux, ru_maxrss starts at what the parent process held.
    """
    status = Path("/proc/self/status")
    for line in status.read_text("utf8").splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
