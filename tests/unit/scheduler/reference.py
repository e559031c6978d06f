"""The scheduler once more, plain and slow: loops over hosts and pods, no arrays, nothing kept.

What it decides is what the real one must decide. It shares the values (hosts, templates, terms)
and the bounds of scores, and no code that decides.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.api.types.node import Taint
from orchestrator.reconcile.affinity import fits as node_fits
from orchestrator.reconcile.tolerations import tolerated
from orchestrator.scheduler.fleet import Placed
from orchestrator.scheduler.hosts import Host
from orchestrator.scheduler.requests import ports_clash
from orchestrator.scheduler.settings import Profile
from orchestrator.scheduler.templates import Template
from orchestrator.scheduler.terms import Spread, Term

FULL = 10_000
ZONE = "topology.kubernetes.io/zone"
MIB = 1024 * 1024


@dataclass
class Cluster:
    hosts: dict[str, Host] = field(default_factory=dict)
    pods: dict[str, Placed] = field(default_factory=dict)
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def on(self, name: str) -> list[Placed]:
        return [pod for pod in self.pods.values() if pod.node == name]

    # ------------------------------------------------------------ filters

    def hard_taint(self, t: Template, host: Host) -> bool:
        return any(
            taint.effect in {"NoSchedule", "NoExecute"} and not tolerated(t.tolerations, taint)
            for taint in host.taints
        )

    def wanted(self, t: Template, host: Host) -> bool:
        chosen = all(host.labels.get(k) == v for k, v in (t.selector or {}).items())
        return chosen and node_fits(t.required, host.name, host.labels)

    def roomy(self, t: Template, host: Host) -> bool:
        here = self.on(host.name)
        if len(here) + 1 > host.allocatable.get("pods", 0):
            return False
        used: Counter[str] = Counter()
        for pod in here:
            used.update(dict(pod.template.requests))
        return all(used[k] + n <= host.allocatable.get(k, 0) for k, n in t.requests)

    def local(self, t: Template, host: Host) -> bool:
        cordon = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
        if host.cordoned and not tolerated(t.tolerations, cordon):
            return False
        taken = [port for pod in self.on(host.name) for port in pod.template.ports]
        return (
            host.ready
            and not self.hard_taint(t, host)
            and self.wanted(t, host)
            and not ports_clash(t.ports, taken)
            and self.roomy(t, host)
        )

    def matched(self, term: Term, pod: Placed) -> bool:
        if pod.leaving and not term.matcher.leaving:
            return False
        return self.means(term, pod.template)

    def means(self, term: Term | Spread, t: Template) -> bool:
        return term.matcher.matches(t.namespace, t.labels, self.namespaces)

    def place_of(self, key: str, name: str) -> str | None:
        host = self.hosts.get(name)
        return None if host is None else host.labels.get(key)

    def same_place(self, key: str, host: Host, pod: Placed) -> bool:
        mine = host.labels.get(key)
        return mine is not None and mine == self.place_of(key, pod.node)

    def attracted(self, t: Template, host: Host) -> bool:
        if not t.attracts:
            return True
        pods = [
            pod for pod in self.pods.values() if all(self.matched(term, pod) for term in t.attracts)
        ]
        keyed = all(term.topology in host.labels for term in t.attracts)
        none = not any(
            self.place_of(term.topology, pod.node) is not None
            for pod in pods
            for term in t.attracts
        )
        if none and all(self.means(term, t) for term in t.attracts):
            return keyed
        return keyed and all(
            any(self.same_place(term.topology, host, pod) for pod in pods) for term in t.attracts
        )

    def repelled(self, t: Template, host: Host) -> bool:
        for pod in self.pods.values():
            for term in t.repels:
                if self.matched(term, pod) and self.same_place(term.topology, host, pod):
                    return True
            for term in pod.template.repels:
                if self.means(term, t) and self.same_place(term.topology, host, pod):
                    return True
        return False

    def counted(self, t: Template, rule: Spread, rules: Iterable[Spread]) -> list[Host]:
        return [
            host
            for host in self.hosts.values()
            if all(one.topology in host.labels for one in rules)
            and (not rule.honors_affinity or self.wanted(t, host))
            and (not rule.honors_taints or not self.hard_taint(t, host))
        ]

    def crowd(self, t: Template, rule: Spread, rules: Iterable[Spread]) -> dict[str, int]:
        crowd: dict[str, int] = {}
        for host in self.counted(t, rule, rules):
            place = host.labels[rule.topology]
            pods = [pod for pod in self.on(host.name) if not pod.leaving]
            here = sum(self.means(rule, pod.template) for pod in pods)
            crowd[place] = crowd.get(place, 0) + here
        return crowd

    def even(self, t: Template, host: Host) -> bool:
        rules = [rule for rule in t.spread if rule.hard]
        for rule in rules:
            if rule.topology not in host.labels:
                return False
            crowd = self.crowd(t, rule, rules)
            low = min(crowd.values()) if crowd and len(crowd) >= rule.min_domains else 0
            own = int(self.means(rule, t))
            if crowd.get(host.labels[rule.topology], 0) + own - low > rule.max_skew:
                return False
        return True

    def feasible(self, t: Template) -> list[Host]:
        return [
            host
            for host in self.hosts.values()
            if self.local(t, host)
            and self.even(t, host)
            and self.attracted(t, host)
            and not self.repelled(t, host)
        ]

    # ------------------------------------------------------------ scores

    def share(self, host: Host, index: int, name: str, asked: int) -> int:
        total = host.allocatable.get(name, 0)
        used = sum(pod.template.usual[index] for pod in self.on(host.name)) + asked
        return min(FULL, used * FULL // total) if total else FULL

    def own(self, t: Template, host: Host, profile: Profile) -> int:
        cpu = self.share(host, 0, "cpu", t.usual[0])
        memory = self.share(host, 1, "memory", t.usual[1])
        good = {
            "least": lambda share: FULL - share,
            "most": lambda share: share,
            "ratio": lambda share: along(profile.shape, share),
        }[profile.fit]
        total = profile.weight_fit * ((good(cpu) + good(memory)) // 2)
        total += profile.weight_balance * (FULL - abs(cpu - memory) // 2)
        total += profile.weight_images * self.images(t, host)
        if t.workload:
            same = [p for p in self.pods.values() if p.template.workload == t.workload]
            same = [p for p in same if not p.leaving and p.node in self.hosts]
            here = sum(pod.node == host.name for pod in same)
            total += profile.weight_workload * (FULL // (1 + here))
            zones = {h.labels[ZONE] for h in self.hosts.values() if ZONE in h.labels}
            if len(zones) > 1:
                near = sum(self.same_place(ZONE, host, pod) for pod in same)
                total += profile.weight_zones * (FULL // (1 + near))
        return total

    def images(self, t: Template, host: Host) -> int:
        total = 0
        for image in t.images:
            having = sum(image in other.images for other in self.hosts.values())
            total += host.images.get(image, 0) * having // len(self.hosts)
        low, high = 23 * MIB, 1000 * MIB * max(1, len(t.images))
        return FULL * (min(max(total, low), high) - low) // (high - low)

    def wishes(self, t: Template, host: Host) -> int:
        total = 0
        for pod in self.pods.values():
            for term in t.wishes:
                if self.matched(term, pod) and self.same_place(term.topology, host, pod):
                    total += term.weight
            for term in (*pod.template.wishes, *pod.template.attracts):
                if self.means(term, t) and self.same_place(term.topology, host, pod):
                    total += term.weight or 1
        return total

    def totals(self, t: Template, profile: Profile) -> dict[str, int]:
        hosts = self.feasible(t)
        found = {host.name: self.own(t, host, profile) for host in hosts}
        if not hosts:
            return found
        liked = {
            h.name: sum(w for w, term in t.preferred if node_fits((term,), h.name, h.labels))
            for h in hosts
        }
        disliked = {
            h.name: sum(
                x.effect == "PreferNoSchedule" and not tolerated(t.tolerations, x) for x in h.taints
            )
            for h in hosts
        }
        tainted = any(
            x.effect == "PreferNoSchedule" and not tolerated(t.tolerations, x)
            for h in self.hosts.values()
            for x in h.taints
        )
        wishes = {h.name: self.wishes(t, h) for h in hosts}
        soft = [rule for rule in t.spread if not rule.hard]
        counted = [h for h in hosts if all(rule.topology in h.labels for rule in soft)]
        cost = {h.name: 0 for h in counted}
        for rule in soft:
            crowd = self.crowd(t, rule, soft)
            weight = round(math.log(len({h.labels[rule.topology] for h in counted}) + 2) * 1000)
            for h in counted:
                cost[h.name] += crowd.get(h.labels[rule.topology], 0) * weight
                cost[h.name] += (rule.max_skew - 1) * 1000
        for h in hosts:
            name = h.name
            if max(liked.values()):
                found[name] += profile.weight_affinity * (FULL * liked[name] // max(liked.values()))
            if tainted:
                most = max(disliked.values())
                bad = FULL * disliked[name] // most if most else 0
                found[name] += profile.weight_taints * (FULL - bad)
            low, high = min(wishes.values()), max(wishes.values())
            if high > low:
                found[name] += profile.weight_neighbours * (
                    FULL * (wishes[name] - low) // (high - low)
                )
            if soft and name in cost:
                low, high = min(cost.values()), max(cost.values())
                good = FULL * (high + low - cost[name]) // high if high else FULL
                found[name] += profile.weight_spread * good
        return found

    def pick(self, t: Template, profile: Profile, after: str = "") -> str | None:
        if profile.strategy == "round-robin":
            names = [host.name for host in self.feasible(t)]
            return min(names, key=lambda name: (name <= after, name), default=None)
        totals = self.totals(t, profile)
        return min(totals, key=lambda name: (-totals[name], len(self.on(name)), name), default=None)


def along(shape: Any, share: int) -> int:
    points = [(percent * FULL // 100, score * FULL // 10) for percent, score in shape]
    if share <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if share <= x1:
            return y0 + (y1 - y0) * (share - x0) // (x1 - x0)
    return points[-1][1]
