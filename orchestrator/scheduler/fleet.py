"""All hosts as arrays, and what is placed on them. Pure: it changes only when it is told to.

The informers' events keep it up to date pod by pod and host by host; the scheduler places what it
has decided at once, before the decision is written, so that the next decision counts it.
`static` changes with the hosts themselves, `changes` names the slots on which pods came or went:
what was worked out for a template is brought up to date from these.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.api.types.node import Taint
from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.scheduler.columns import Column, LabelColumn, Numbers
from orchestrator.scheduler.hosts import Host
from orchestrator.scheduler.requests import PODS, HostPort
from orchestrator.scheduler.tallies import ROLES, Known, Matching, Owning, Rule, Tally
from orchestrator.scheduler.templates import Template
from orchestrator.scheduler.terms import NamespaceLabels

RANK_BITS: Final = 20
"""In the order of equals: bits of the host's place by name, below its number of pods."""
COUNT_BITS: Final = 18
_MOST_CHANGES: Final = 100_000
_FIRST_SIZE: Final = 16


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


class Level:
    """What the pods of one priority use.

    Args:
        size: how many slots there are.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self.columns: dict[str, Column] = {}

    def used(self, name: str) -> Column:
        """One resource, by slot; of PODS their number."""
        column = self.columns.get(name)
        if column is None:
            column = self.columns[name] = Column(self._size)
        return column

    def grow(self, size: int) -> None:
        """Makes room for more hosts."""
        self._size = size
        for column in self.columns.values():
            column.grow(size)


@dataclass(slots=True)
class Resource:
    """One resource of all hosts: what they have, and what pods ask for."""

    total: Column
    used: Column


class Fleet:
    """See the module.

    Attributes:
        slots: of the hosts, by name.
        hosts: by slot; None where it is free.
        live, ready, cordoned: 0 or 1 by slot.
        taints: index into `taint_sets`.
        cpu, memory: what pods use, with the usual amount for those that do not say.
        resources: by name; of PODS the number of pods.
        levels: what pods use, by their priority.
        static: grows with every change of a host.
        changes: slots on which pods came or went, oldest first, since `base`.
        base: how many changes were before those.
    """

    def __init__(self, namespaces: NamespaceLabels | None = None) -> None:
        self.slots: dict[str, int] = {}
        self.hosts: list[Host | None] = [None] * _FIRST_SIZE
        self.live = Column(_FIRST_SIZE)
        self.ready = Column(_FIRST_SIZE)
        self.cordoned = Column(_FIRST_SIZE)
        self.taints = Column(_FIRST_SIZE)
        self.taint_sets: list[tuple[Taint, ...]] = [()]
        self.cpu = Column(_FIRST_SIZE)
        self.memory = Column(_FIRST_SIZE)
        self.resources: dict[str, Resource] = {}
        self.levels: dict[int, Level] = {}
        self.ports: dict[tuple[str, int], dict[int, list[str]]] = {}
        self.static = 0
        self.terms_known = 0
        self.changes: list[int] = []
        self.base = 0
        self.namespaces: dict[str, Mapping[str, str]] = dict(namespaces or {})
        self._rank = Column(_FIRST_SIZE)
        self._ranked = True
        self._labels: dict[str, LabelColumn] = {}
        self._images: dict[str, Column] = {}
        self._tallies: dict[Rule, Tally] = {}
        self._known: dict[Template, Known] = {}
        self._pods: dict[Uid, Placed] = {}
        self._on: dict[str, dict[Uid, Placed]] = {}
        self._free = list(range(_FIRST_SIZE))[::-1]
        self.pods = self.resource(PODS).used

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
        for name, amount in host.allocatable.items():
            self.resource(name).total.data[slot] = amount
        for name in self.resources.keys() - host.allocatable.keys():
            self.resources[name].total.clear(slot)
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
        for column in self._hosts_columns():
            column.clear(slot)
        self._free.append(slot)
        self._ranked = False
        self.static += 1

    def _take(self, name: str) -> int:
        if not self._free:
            before, size = self.size, 2 * self.size
            self.hosts.extend([None] * (size - before))
            for column in (*self._hosts_columns(), *self._pods_columns()):
                column.grow(size)
            for level in self.levels.values():
                level.grow(size)
            self._free = list(range(before, size))[::-1]
        slot = self._free.pop()
        self.slots[name] = slot
        self._ranked = False
        return slot

    def _hosts_columns(self) -> Iterable[Column]:
        yield from (self.live, self.ready, self.cordoned, self.taints, self._rank)
        yield from (resource.total for resource in self.resources.values())
        yield from self._labels.values()
        yield from self._images.values()

    def _pods_columns(self) -> Iterable[Column]:
        yield from (self.cpu, self.memory)
        yield from (resource.used for resource in self.resources.values())
        yield from self._tallies.values()

    def name_of(self, slot: int) -> str:
        """The host in a slot; "" of a free one."""
        host = self.hosts[slot]
        return host.name if host is not None else ""

    def resource(self, name: str) -> Resource:
        """One resource; of one that no host has every total is 0."""
        found = self.resources.get(name)
        if found is None:
            found = self.resources[name] = Resource(Column(self.size), Column(self.size))
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
            self._ranked = True
        return self._rank

    # ------------------------------------------------------------ pods

    def place(self, placed: Placed) -> None:
        """A pod is bound to a host; of one that is known already everything may have changed."""
        self.take_away(placed.uid)
        self._pods[placed.uid] = placed
        self._on.setdefault(placed.node, {})[placed.uid] = placed
        slot = self.slots.get(placed.node)
        if slot is not None:
            self._add(slot, placed, 1)

    def take_away(self, uid: Uid) -> Placed | None:
        """A pod has ended, is gone, or was not bound after all; returns it."""
        placed = self._pods.pop(uid, None)
        if placed is not None:
            there = self._on[placed.node]
            del there[uid]
            if not there:
                del self._on[placed.node]
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

    def all_pods(self) -> Iterable[Placed]:
        """Everything that is bound."""
        return self._pods.values()

    def _add(self, slot: int, placed: Placed, sign: int) -> None:
        template = placed.template
        known = self.know(template)
        for column, amount in known.asks:
            column.data[slot] += sign * amount
        self.cpu.data[slot] += sign * template.usual[0]
        self.memory.data[slot] += sign * template.usual[1]
        for tally, weight in known.leaving if placed.leaving else known.staying:
            tally.data[slot] += sign * weight
        counts = known.there.setdefault(slot, [0, 0])
        counts[placed.leaving] += sign
        if counts == [0, 0]:
            del known.there[slot]
        for port in template.ports:
            self._take_port(slot, port, sign)
        self.changes.append(slot)
        if len(self.changes) > _MOST_CHANGES:
            self.base += len(self.changes)
            self.changes.clear()

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

    def know(self, template: Template) -> Known:
        """What is kept of a template, from now on."""
        known = self._known.get(template)
        if known is None:
            level = self.levels.setdefault(template.priority, Level(self.size))
            asks = [(self.resource(name).used, amount) for name, amount in template.requests]
            asks += [(level.used(name), amount) for name, amount in template.requests]
            asks += [(level.used(PODS), 1), (self.pods, 1)]
            known = self._known[template] = Known(asks)
            for rule, tally in self._tallies.items():
                weight = rule.weight(template, self.namespaces)
                if weight:
                    known.count(tally, weight)
            for role in ROLES:
                for term in getattr(template, role):
                    if Owning(role, term) not in self._tallies:
                        self.tally(Owning(role, term))
                        self.terms_known += 1
        return known

    def tally(self, rule: Rule) -> Tally:
        """How many pods the rule is about, by host; kept up to date from now on."""
        tally = self._tallies.get(rule)
        if tally is None:
            tally = self._tallies[rule] = Tally(self.size, rule)
            for template, known in self._known.items():
                weight = rule.weight(template, self.namespaces)
                if weight:
                    known.count(tally, weight)
        return tally

    def set_namespace(self, name: str, labels: Mapping[str, str]) -> bool:
        """A namespace's labels changed; returns whether a rule looks at them."""
        if self.namespaces.get(name, {}) == labels:
            return False
        self.namespaces[name] = labels
        if not any(_by_namespace(rule) for rule in self._tallies):
            return False
        for tally in self._tallies.values():
            tally.data[:] = 0
        for template, known in self._known.items():
            known.staying.clear()
            known.leaving.clear()
            for rule, tally in self._tallies.items():
                weight = rule.weight(template, self.namespaces)
                if weight:
                    known.count(tally, weight)
        self.static += 1
        self.terms_known += 1
        return True

    def owners(self, role: str) -> list[Tally]:
        """The tallies of all rules that pods have in that role."""
        return [
            tally
            for rule, tally in self._tallies.items()
            if isinstance(rule, Owning) and rule.role == role
        ]

    def forget(self, in_use: Callable[[Template], bool]) -> None:
        """Drops what is kept of templates without pods that are not in use, and their rules."""
        for template in [t for t, k in self._known.items() if not k.there and not in_use(t)]:
            del self._known[template]
        kept = {
            Owning(role, term) for t in self._known for role in ROLES for term in getattr(t, role)
        }
        self._tallies = {
            rule: tally for rule, tally in self._tallies.items() if rule in kept
        }  # others are made again when they are asked for
        gone = set(map(id, self._tallies.values()))
        for known in self._known.values():
            known.drop(lambda tally: id(tally) not in gone)
        self.static += 1
        self.terms_known += 1


def _by_namespace(rule: Rule) -> bool:
    match rule:
        case Matching(matchers):
            return any(matcher.where is not None for matcher in matchers)
        case Owning(_, term):
            return term.matcher.where is not None
        case _:
            return False


def _image_bytes(host: Host, image: str) -> int:
    """The size of an image on a host, by any of the names that engines give it; 0 without."""
    name = image if "@" in image or ":" in image.rsplit("/", 1)[-1] else f"{image}:latest"
    names = [name, f"docker.io/{name}"] + ([] if "/" in name else [f"docker.io/library/{name}"])
    return next((max(1, host.images[one]) for one in names if one in host.images), 0)


def order(fleet: Fleet) -> Numbers:
    """How equals are told apart, by slot, before `RANK_BITS` times the number of pods is taken off:
    more for fewer pods, then for the earlier name.
    """
    most_pods, most_rank = (1 << COUNT_BITS) - 1, (1 << RANK_BITS) - 1
    return (most_pods << RANK_BITS) + (most_rank - fleet.rank().data)
