"""Rounds of contestants, side by side: order rotated, medians, bounds as ratios within one run.

Not a benchmark itself; the benchmarks measure with it.
"""

import argparse
import os
import platform
import signal
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from platform_rig import BenchmarkError


@dataclass
class Sample:
    """One measurement.

    Attributes:
        wall_s: seconds that passed.
        cpu_s: seconds of processor time that this whole machine used meanwhile; tells work that
            one contestant makes from work that the machine did for others.
    """

    wall_s: float
    cpu_s: float


@dataclass
class Contestant:
    """One way to do the thing.

    Attributes:
        name: for the table.
        measure: does the thing once, and returns when it is done; what it times is all of it.
        prepare: before each measurement, untimed.
        clean: after each measurement, untimed, also after a failed one.
        samples: what was measured.
    """

    name: str
    measure: Callable[[], None]
    prepare: Callable[[], None] = lambda: None
    clean: Callable[[], None] = lambda: None
    samples: list[Sample] = field(default_factory=list)

    @property
    def median_s(self) -> float:
        """Median of the wall clock."""
        return statistics.median(s.wall_s for s in self.samples)

    @property
    def cpu_s(self) -> float:
        """Median of the machine's processor seconds."""
        return statistics.median(s.cpu_s for s in self.samples)


@dataclass(frozen=True)
class Bound:
    """The first contestant may take at most `ratio` times as long as the peer.

    Attributes:
        peer: a contestant's name.
        ratio: of medians.
        strict: whether it must be less than that.
    """

    peer: str
    ratio: float
    strict: bool = False


def arguments(description: str, runs: int = 3) -> argparse.Namespace:
    """The flags that every benchmark has: --runs."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=runs, metavar="N", help="default: %(default)s")
    flags = parser.parse_args()
    if flags.runs < 1:
        parser.error("--runs: at least 1")
    return flags


def conclude(main: Callable[[], bool]) -> None:
    """Ends the process: status 0 when all bounds hold, 1 when one is missed or nothing came out.

    SIGTERM ends it like an interrupt, so that everything is cleaned up.
    """

    def stop(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)
    try:
        held = main()
    except BenchmarkError as error:
        sys.exit(f"\ncould not be measured: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0 if held else 1)


def busy_s() -> float:
    """Processor seconds that this machine has used since it started."""
    fields = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]))
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / os.sysconf("SC_CLK_TCK")


def settle(limit_s: float = 15.0) -> None:
    """Waits until a half second passes with the machine half idle, or the limit is over.

    What one contestant leaves to be written or reaped must not be paid by the next one.
    """
    os.sync()
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        used, begun = busy_s(), time.monotonic()
        time.sleep(0.5)
        if busy_s() - used < 0.25 * (os.cpu_count() or 1) * (time.monotonic() - begun):
            return


def measure(contestants: Sequence[Contestant], runs: int) -> None:
    """Runs every contestant `runs` times; each round begins with the next one."""
    for number in range(runs):
        shift = number % len(contestants)
        for contestant in (*contestants[shift:], *contestants[:shift]):
            try:
                contestant.prepare()
                settle()
                used, begun = busy_s(), time.monotonic()
                contestant.measure()
                sample = Sample(time.monotonic() - begun, busy_s() - used)
            finally:
                contestant.clean()
            contestant.samples.append(sample)
            print(
                f"round {number + 1}: {contestant.name}: {sample.wall_s:.2f} s "
                f"({sample.cpu_s:.1f} s of processor)",
                flush=True,
            )


def report(title: str, contestants: Sequence[Contestant], bounds: Sequence[Bound]) -> bool:
    """Prints the table and the bounds; returns whether all bounds hold."""
    ours = contestants[0]
    width = max(len(c.name) for c in contestants)
    print(f"\n{title}\n")
    print(f"  {'':{width}}  median s   min s   max s   processor s   {ours.name} / this")
    for contestant in contestants:
        walls = [s.wall_s for s in contestant.samples]
        print(
            f"  {contestant.name:{width}}  {contestant.median_s:8.2f}{min(walls):8.2f}"
            f"{max(walls):8.2f}{contestant.cpu_s:14.1f}   {ours.median_s / contestant.median_s:.2f}"
        )
    print()
    held = True
    for bound in bounds:
        peer = next(c for c in contestants if c.name == bound.peer)
        ratio = ours.median_s / peer.median_s
        good = ratio < bound.ratio if bound.strict else ratio <= bound.ratio
        held &= good
        words = "less than" if bound.strict else "at most"
        print(
            f"  {'ok    ' if good else 'MISSED'}  {ours.name} / {peer.name} = {ratio:.2f}, "
            f"{words} {bound.ratio:.2f} wanted"
        )
    return held


def machine() -> str:
    """This machine in a few words; the interpreter's build alone makes a fifth of some figures."""
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    load = os.getloadavg()[0]
    python = f"Python {platform.python_version()} of {os.path.realpath(sys.executable)}"
    words = f"{os.cpu_count()} processors, {memory:.0f} GiB memory, load {load:.1f} at the start"
    return f"{words}, {python}"
