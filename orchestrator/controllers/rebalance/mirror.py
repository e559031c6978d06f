"""What the rebalance asks: hosts and pods as the scheduler has them, kept up to date by events."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from orchestrator.api.types.pod import Pod
from orchestrator.kit.clock import parse_rfc3339
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.pods import has_ended
from orchestrator.reconcile.snapshot import metadata_of, node_of, view_as
from orchestrator.scheduler.cycle import Planner
from orchestrator.scheduler.fleet import Fleet, Placed
from orchestrator.scheduler.hosts import Host, host_of
from orchestrator.scheduler.settings import SchedulerSettings
from orchestrator.scheduler.standing import Standing
from orchestrator.scheduler.templates import Template, Templates
from orchestrator.store.objects import StoredObject, StoreEvent

LOOK: Final = ObjectKey("nodes", "", "")
"""The one key of the controller: the cluster."""
_TEMPLATES_KEPT: Final = 20_000


class Mirror:
    """See the module.

    Attributes:
        fleet: the hosts, and what is bound to them.
        hosts: another number whenever a host came, went or changed in more than its images.
    """

    def __init__(self, settings: SchedulerSettings) -> None:
        self.fleet = Fleet()
        self.hosts = 0
        self._planner = Planner(self.fleet, settings)
        self._templates = Templates()
        self._known: dict[str, Host] = {}

    def standing(self, template: Template) -> Standing:
        """How all hosts stand for a template now."""
        return self._planner.standing(template)

    def on_namespace(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """A namespace's labels may have changed."""
        gone = event.type == "DELETED"
        labels = {} if gone else metadata_of(event.object).labels or {}
        self.fleet.set_namespace(event.object.key.name, labels)
        return ()

    def on_node(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """A host came, changed or went: it is looked at once when that can matter."""
        name = event.object.key.name
        if event.type == "DELETED":
            self._known.pop(name, None)
            self.fleet.remove_host(name)
        else:
            host = host_of(event.object)
            self.fleet.set_host(host)
            plain = replace(host, images={})
            if self._known.get(name) == plain:
                return ()
            self._known[name] = plain
        self.hosts += 1
        return (LOOK,)

    def on_pod(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """A pod was bound, leaves, changed or is gone."""
        item = event.object
        if not node_of(item):
            return ()
        if event.type == "DELETED" or has_ended(view_as(item, Pod)):
            self.fleet.take_away(item.uid)
            return ()
        placed, known = self._placed(item), self.fleet.pod(item.uid)
        if placed != known:
            self.fleet.place(placed)
        if len(self._templates) > _TEMPLATES_KEPT:
            self._templates.keep({pod.template for pod in self.fleet.all_pods()})
        return ()

    def _placed(self, item: StoredObject) -> Placed:
        started = view_as(item, Pod).status.start_time
        return Placed(
            item.key,
            item.uid,
            self._templates.of(item),
            node_of(item),
            parse_rfc3339(started) if started else 0.0,
            owners.is_deleting(item),
        )
