"""What every benchmark needs: the row of a result, a fresh process to measure in, and that process's peak memory."""

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
    """One comparison: our number beside a peer's, and what their ratio or our number should reach."""

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
        """Ours by the peer's."""
        return self.ours / self.peer

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio}


def in_fresh_process(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The result of a function of a module, called in a new Python: nothing that ran before makes it faster or larger."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def peak_memory() -> int:
    """The most bytes of memory that this process ever held.

    VmHWM where there is one: on Linux, ru_maxrss starts at what the parent held when it started this process.
    """
    status = Path("/proc/self/status")
    for line in status.read_text("utf8").splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
