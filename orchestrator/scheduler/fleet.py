"""All hosts as arrays, and what is placed on them. Pure: it changes only when it is told to.

The informers' events keep it up to date pod by pod and host by host; the scheduler places what it
has decided at once, before the decision is written, so that the next decision counts it.
`static` changes with the hosts themselves, `changes` names the slots on which pods came or went:
what was worked out for a template is brought up to date from these.

All that changes with pods is one array, by rows and slots: a pod that comes is one addition, and
what decides about some hosts is read at once. Its rows:

`ORDER`                     order of equals: fewer pods, then the earlier name
`CPU_LOAD`, `MEMORY_LOAD`   what pods use, of those that do not say the usual; `FULL` times
`CPU_MOST`, `MEMORY_MOST`   what the host has of these, at least 1
`FREE` and the next two     how many more pods may come, free cpu, free memory; below 0 if overfull
the others                  what pods use of these; then each further resource, free and used
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from orchestrator.api.types.node import Taint
from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.scheduler.changes import Changes
from orchestrator.scheduler.columns import Block, Column, LabelColumn, Numbers
from orchestrator.scheduler.hosts import Host
from orchestrator.scheduler.requests import CPU, MEMORY, PODS, Amounts, HostPort
from orchestrator.scheduler.rules import Role, Rules
from orchestrator.scheduler.tallies import Known, Places, Rule, Tally
from orchestrator.scheduler.templates import Template
from orchestrator.scheduler.terms import NamespaceLabels

RANK_BITS: Final = 20
"""In the order of equals: bits of the host's place by name, below its number of pods."""
COUNT_BITS: Final = 18
ORDER_BITS: Final = RANK_BITS + COUNT_BITS
"""Of a place in the order of equals, below a score."""
FULL: Final = 10_000
"""The best score; hundredths of Kubernetes' points."""
ORDER: Final = 0
CPU_LOAD: Final = 1
MEMORY_LOAD: Final = 2
CPU_MOST: Final = 3
MEMORY_MOST: Final = 4
FREE: Final = 5
_FIRST: Final = (PODS, CPU, MEMORY)
_FIRST_SIZE: Final = 16
_NOT_ASKED: Final = -(1 << 62)
"""In place of an amount: there is always room for that."""


@dataclass(slots=True)
class Placed:
    """A pod on a host.

    Attributes:
        key: of the pod.
        uid: of the pod.
        template: what it asks for.
        node: its host, which may not be known (yet, or any more).
        started_s: wall seconds; of equals those that began last are evicted.
        leaving: it is being deleted, or will be.
    """

    key: ObjectKey
    uid: Uid
    template: Template
    node: str
    started_s: float = 0.0
    leaving: bool = False

    def counts_as(self, other: "Placed") -> bool:
        """Whether both use the same of the same host."""
        mine, theirs = ((one.node, one.leaving, one.template) for one in (self, other))
        return mine == theirs  # templates are mostly one and the same, which tuples see first


@dataclass(slots=True)
class Resource:
    """One resource of all hosts.

    Attributes:
        rows: of the next two in `Fleet.state`.
        free: what is left; below 0 where pods ask for more than there is.
        used: what pods ask for.
        total: what hosts have.
    """

    rows: tuple[int, int]
    free: Column
    used: Column
    total: Column


class Fleet:
    """See the module.

    Attributes:
        slots: of the hosts, by name.
        hosts: by slot; None where it is free.
        live, ready, cordoned: 0 or 1 by slot.
        taints: index into `taint_sets`.
        state: see the module.
        resources: by name; of PODS the number of pods.
        levels: what pods of one priority add to `state`, by the priority.
        static: grows with every change of a host.
        changes: slots on which pods came or went.
        rules: about other pods, and what counts for them.
    """

    def __init__(self, namespaces: NamespaceLabels | None = None) -> None:
        self.slots: dict[str, int] = {}
        self.hosts: list[Host | None] = [None] * _FIRST_SIZE
        self.live = Column(_FIRST_SIZE)
        self.ready = Column(_FIRST_SIZE)
        self.cordoned = Column(_FIRST_SIZE)
        self.taints = Column(_FIRST_SIZE)
        self.taint_sets: list[tuple[Taint, ...]] = [()]
        self.state = Block(_FIRST_SIZE, CPU_MOST)
        self._most = {CPU: self.state.row(1), MEMORY: self.state.row(1)}
        free, used = ([self.state.row() for _ in _FIRST] for _ in range(2))
        self.resources = {
            name: Resource((FREE + i, FREE + len(_FIRST) + i), free[i], used[i], Column(self.size))
            for i, name in enumerate(_FIRST)
        }
        self.levels: dict[int, Block] = {}
        self.ports: dict[tuple[str, int], dict[int, list[str]]] = {}
        self.static = 0
        self.changes = Changes()
        self.rules = Rules(namespaces or {})
        self._rank = Column(_FIRST_SIZE)
        self._ranked = True
        self._labels: dict[str, LabelColumn] = {}
        self._images: dict[str, Column] = {}
        self._pods: dict[Uid, Placed] = {}
        self._on: dict[str, dict[Uid, Placed]] = {}
        self._by_importance: dict[str, list[Placed]] = {}
        self._free = list(range(_FIRST_SIZE))[::-1]
        self.pods = self.resources[PODS].used

    # ------------------------------------------------------------ hosts

    @property
    def size(self) -> int:
        """How many slots there are, free ones among them."""
        return len(self.hosts)

    def set_host(self, host: Host) -> None:
        """A host came, or changed."""
        slot = self.slots.get(host.name)
        new = slot is None
        if slot is None:
            slot = self._take(host.name)
        elif self.hosts[slot] == host:
            return
        self.hosts[slot] = host
        self.live.data[slot] = 1
        self.ready.data[slot] = host.ready
        self.cordoned.data[slot] = host.cordoned
        if host.taints not in self.taint_sets:
            self.taint_sets.append(tuple(host.taints))
        self.taints.data[slot] = self.taint_sets.index(tuple(host.taints))
        self._set_amounts(slot, host.allocatable)
        for key, column in self._labels.items():
            column.set(slot, host.labels.get(key))
        for image, sizes in self._images.items():
            sizes.data[slot] = _image_bytes(host, image)
        self.static += 1
        if new:
            for placed in self._on.get(host.name, {}).values():
                self._add(slot, placed, 1)

    def remove_host(self, name: str) -> None:
        """A host is gone; pods that are still bound to it count nowhere."""
        slot = self.slots.pop(name, None)
        if slot is None:
            return
        for placed in self._on.get(name, {}).values():
            self._add(slot, placed, -1)
        self.hosts[slot] = None
        self._set_amounts(slot, {})
        for column in self._hosts_columns():
            column.clear(slot)
        self._free.append(slot)
        self._ranked = False
        self.static += 1

    def _set_amounts(self, slot: int, amounts: Amounts) -> None:
        for name in amounts.keys() | self.resources.keys():
            resource = self.resource(name)
            resource.total.data[slot] = amounts.get(name, 0)
            resource.free.data[slot] = resource.total.data[slot] - resource.used.data[slot]
        for name, most in self._most.items():
            most.data[slot] = max(1, amounts.get(name, 0))

    def _take(self, name: str) -> int:
        if not self._free:
            before, size = self.size, self.size + max(_FIRST_SIZE, self.size // 4)
            self.hosts.extend([None] * (size - before))
            for column in (*self._hosts_columns(), *self.rules.tallies()):
                column.grow(size)
            for block in (self.state, *self.levels.values()):
                block.grow(size)
            self._free = list(range(before, size))[::-1]
        slot = self._free.pop()
        self.slots[name] = slot
        self._ranked = False
        return slot

    def _hosts_columns(self) -> Iterable[Column]:
        """Those that change with hosts only."""
        yield from (self.live, self.ready, self.cordoned, self.taints, self._rank)
        yield from (resource.total for resource in self.resources.values())
        yield from self._labels.values()
        yield from self._images.values()

    def name_of(self, slot: int) -> str:
        """The host in a slot; "" of a free one."""
        host = self.hosts[slot]
        return host.name if host is not None else ""

    def resource(self, name: str) -> Resource:
        """One resource; of one that no host has every total is 0."""
        found = self.resources.get(name)
        if found is None:
            row = len(self.state)
            for level in self.levels.values():
                level.row()
                level.row()
            found = Resource((row, row + 1), self.state.row(), self.state.row(), Column(self.size))
            self.resources[name] = found
        return found

    def label(self, key: str) -> LabelColumn:
        """One label of all hosts."""
        column = self._labels.get(key)
        if column is None:
            column = self._labels[key] = LabelColumn(self.size)
            for slot, host in enumerate(self.hosts):
                if host is not None and key in host.labels:
                    column.set(slot, host.labels[key])
        return column

    def image(self, name: str) -> Column:
        """Size of an image where it is, by host; 0 elsewhere."""
        column = self._images.get(name)
        if column is None:
            column = self._images[name] = Column(self.size)
            for slot, host in enumerate(self.hosts):
                if host is not None:
                    column.data[slot] = _image_bytes(host, name)
        return column

    def rank(self) -> Column:
        """Each host's place by name, from 0."""
        if not self._ranked:
            for place, name in enumerate(sorted(self.slots)):
                self._rank.data[self.slots[name]] = place
            most_pods, most_rank = (1 << COUNT_BITS) - 1, (1 << RANK_BITS) - 1
            fewer = (most_pods - self.pods.data) << RANK_BITS
            self.state.data[ORDER] = fewer + most_rank - self._rank.data
            self._ranked = True
        return self._rank

    def order(self) -> Numbers:
        """How equals are told apart, by slot: more for fewer pods, then for the earlier name."""
        self.rank()
        found: Numbers = self.state.data[ORDER]
        return found

    # ------------------------------------------------------------ pods

    def place(self, placed: Placed) -> None:
        """A pod is bound to a host; of one that is known already everything may have changed."""
        known = self._pods.get(placed.uid)
        counted = known is not None and known.counts_as(placed)
        if known is not None and not counted:
            self.take_away(placed.uid)
        self._pods[placed.uid] = placed
        self._on.setdefault(placed.node, {})[placed.uid] = placed
        self._by_importance.pop(placed.node, None)
        slot = self.slots.get(placed.node)
        if slot is not None and not counted:
            self._add(slot, placed, 1)

    def take_away(self, uid: Uid) -> Placed | None:
        """A pod has ended, is gone, or was not bound after all; returns it."""
        placed = self._pods.pop(uid, None)
        if placed is not None:
            there = self._on[placed.node]
            del there[uid]
            if not there:
                del self._on[placed.node]
            self._by_importance.pop(placed.node, None)
            slot = self.slots.get(placed.node)
            if slot is not None:
                self._add(slot, placed, -1)
        return placed

    def pod(self, uid: Uid) -> Placed | None:
        """A placed pod."""
        return self._pods.get(uid)

    def pods_on(self, name: str) -> Iterable[Placed]:
        """What is bound to a host."""
        return self._on.get(name, {}).values()

    def by_importance(self, name: str) -> list[Placed]:
        """The same, the most important and then those that began first at the front."""
        found = self._by_importance.get(name)
        if found is None:
            found = self._by_importance[name] = sorted(
                self.pods_on(name), key=lambda p: (-p.template.priority, p.started_s, p.key)
            )
        return found

    def all_pods(self) -> Iterable[Placed]:
        """Everything that is bound."""
        return self._pods.values()

    def _add(self, slot: int, placed: Placed, sign: int) -> None:
        template = placed.template
        known = self.rules.known.get(template) or self.know(template)
        asks = known.asks if sign > 0 else -known.asks
        for block in (self.state, known.level):
            column = block.data[: len(asks), slot]
            column += asks
        for tally, weight in known.leaving if placed.leaving else known.staying:
            tally.add(slot, sign * weight, self.static)
        counts = known.there.get(slot)
        if counts is None:
            counts = known.there[slot] = [0, 0]
        counts[placed.leaving] += sign
        if sign < 0 and not any(counts):
            del known.there[slot]
        for port in template.ports:
            self._take_port(slot, port, sign)
        self.changes.add(slot)

    def _take_port(self, slot: int, port: HostPort, sign: int) -> None:
        address, protocol, number = port
        taken = self.ports.setdefault((protocol, number), {})
        if sign > 0:
            taken.setdefault(slot, []).append(address)
            return
        taken[slot].remove(address)
        if not taken[slot]:
            del taken[slot]

    # ------------------------------------------------------------ what rules are about

    @property
    def namespaces(self) -> NamespaceLabels:
        """The labels of all namespaces."""
        return self.rules.namespaces

    def know(self, template: Template) -> Known:
        """What is kept of a template, from now on."""
        known = self.rules.known.get(template)
        if known is None:
            asked = [(self.resource(name), amount) for name, amount in template.requests]
            asks = np.zeros(len(self.state), dtype=np.int64)
            asks[ORDER] = -1 << RANK_BITS
            asks[CPU_LOAD], asks[MEMORY_LOAD] = (FULL * amount for amount in template.usual)
            for resource, amount in [(self.resources[PODS], 1), *asked]:
                free, used = resource.rows
                asks[free] -= amount
                asks[used] += amount
            level = self.levels.get(template.priority)
            if level is None:
                level = self.levels[template.priority] = Block(self.size, len(self.state))
            known = Known(asks, level)
            self.rules.know(template, known, self.size)
        return known

    def asks(self, template: Template) -> Numbers:
        """What must be free, by row from `FREE`, as a column of an array."""
        asks = {self.resource(name).rows[0]: amount for name, amount in template.requests}
        asks[FREE] = max(1, asks.get(FREE, 0))
        found: Numbers = np.full((max(asks) + 1 - FREE, 1), _NOT_ASKED, dtype=np.int64)
        for row, amount in asks.items():
            found[row - FREE] = amount
        return found

    def tally(self, rule: Rule) -> Tally:
        """How many pods the rule is about, by host; kept up to date from now on."""
        return self.rules.tally(rule, self.size)

    def places(self, tally: Tally, key: str) -> Places:
        """The sums of a tally over the values of a label; kept up to date till hosts change."""
        found = tally.places.get(key)
        if found is None or found.static != self.static:
            column = self.label(key)
            found = tally.sums(key, self.static, len(column.values), column.data)
        return found

    def set_namespace(self, name: str, labels: Mapping[str, str]) -> bool:
        """A namespace's labels changed; returns whether a rule looks at them."""
        found = self.rules.set_namespace(name, labels)
        self.static += found
        return found

    def owners(self, role: Role) -> list[Tally]:
        """The tallies of all rules that pods have in that role."""
        return self.rules.owners(role)

    def forget(self, in_use: Callable[[Template], bool]) -> None:
        """Drops what is kept of templates without pods that are not in use, and their rules."""
        self.rules.forget(in_use)
        self.static += 1


def _image_bytes(host: Host, image: str) -> int:
    """The size of an image on a host, by any of the names that engines give it; 0 without."""
    name = image if "@" in image or ":" in image.rsplit("/", 1)[-1] else f"{image}:latest"
    names = [name, f"docker.io/{name}"] + ([] if "/" in name else [f"docker.io/library/{name}"])
    return next((max(1, host.images[one]) for one in names if one in host.images), 0)
