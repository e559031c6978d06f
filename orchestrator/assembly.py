"""Which controllers there are, and what each is made of.

The server, simulations and their tests run the same ones and take them from here. Those that make
credentials are the server's own: they need its keys.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Final

from orchestrator.controllers.clusterrole.controller import clusterrole_controller
from orchestrator.controllers.cronjob.controller import cron_job_controller
from orchestrator.controllers.customresources.controller import customresources_controller
from orchestrator.controllers.daemonset.controller import daemon_set_controller
from orchestrator.controllers.deployment.controller import deployment_controller
from orchestrator.controllers.disruption.controller import disruption_controller
from orchestrator.controllers.endpoints.controller import endpoints_controller
from orchestrator.controllers.garbage.controller import garbage_controller
from orchestrator.controllers.hpa.controller import hpa_controller
from orchestrator.controllers.hpa.settings import AutoscalingSettings
from orchestrator.controllers.job.controller import job_controller
from orchestrator.controllers.namespace.controller import namespace_controller
from orchestrator.controllers.nodelifecycle.controller import nodelifecycle_controller
from orchestrator.controllers.nodelifecycle.settings import NodeLifecycleSettings
from orchestrator.controllers.rebalance.controller import rebalance_controller
from orchestrator.controllers.rebalance.settings import RebalanceSettings
from orchestrator.controllers.replicaset.controller import replicaset_controller
from orchestrator.controllers.resourcequota.controller import resourcequota_controller
from orchestrator.controllers.serviceaccount.controller import serviceaccount_controller
from orchestrator.controllers.statefulset.controller import stateful_set_controller
from orchestrator.kit.clock import Clock
from orchestrator.reconcile.controller import CarryOut, Controller
from orchestrator.reconcile.executor import Executor, controller_user
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.usage import UsageSource
from orchestrator.registry.registry import Registry
from orchestrator.scheduler.settings import SchedulerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSettings:
    """The settings of those that have any.

    Attributes:
        scheduler: the rebalancer decides as the scheduler would.
        nodelifecycle: when a lost host's pods are replaced.
        autoscaling: how autoscalers look at their pods.
        rebalance: whether and how running pods are moved to better hosts.
    """

    scheduler: SchedulerSettings = field(default_factory=SchedulerSettings)
    nodelifecycle: NodeLifecycleSettings = field(default_factory=NodeLifecycleSettings)
    autoscaling: AutoscalingSettings = field(default_factory=AutoscalingSettings)
    rebalance: RebalanceSettings = field(default_factory=RebalanceSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """What controllers are made of.

    Attributes:
        registry: the one door for writes.
        informers: tell of writes.
        clock: tells when.
        rng: spreads retries.
        usage: what pods use; None where nobody measures, and nothing can be autoscaled.
        settings: see there.
    """

    registry: Registry
    informers: Informers
    clock: Clock
    rng: random.Random
    usage: UsageSource | None = None
    settings: ControllerSettings = field(default_factory=ControllerSettings)

    def acting(self, name: str) -> CarryOut:
        """The hands of a controller, which admission policies know by its name."""
        return Executor(self.registry, controller_user(name)).carry_out

    def controllers(self, only: Iterable[str] | None = None) -> dict[str, Controller]:
        """The controllers by name, made but not running.

        Args:
            only: the names of those that are wanted; all that the settings allow when None.

        Raises:
            KeyError: one of `only` is not there.
        """
        makers = self._makers()
        return {name: makers[name]() for name in (makers if only is None else only)}

    def _makers(self) -> dict[str, Callable[[], Controller]]:
        informers, clock, rng, acting = self.informers, self.clock, self.rng, self.acting
        registry, settings = self.registry, self.settings
        makers: dict[str, Callable[[], Controller]] = {
            **{name: partial(make, informers, acting(user), clock, rng)
               for name, (make, user) in _WITH_CLOCK.items()},
            **{name: partial(make, informers, acting(user), rng)
               for name, (make, user) in _WITHOUT.items()},
            "garbage": partial(
                garbage_controller,
                informers, acting("generic-garbage-collector"), rng, registry.catalog,
            ),
            "resourcequotas": partial(
                resourcequota_controller,
                informers, acting("resourcequota-controller"), clock, rng, registry.quota_used,
            ),
            "nodelifecycle": partial(
                nodelifecycle_controller,
                informers, acting("node-controller"), clock, rng, settings.nodelifecycle,
            ),
        }  # fmt: skip
        if self.usage is not None:
            makers["autoscalers"] = partial(
                hpa_controller,
                informers, acting("horizontal-pod-autoscaler"), clock, rng,
                registry.catalog, self.usage, settings.autoscaling,
            )  # fmt: skip
        if settings.rebalance.enabled:
            makers["rebalance"] = partial(
                rebalance_controller,
                informers, acting("rebalancer"), clock, rng, settings.rebalance, settings.scheduler,
            )  # fmt: skip
        return makers


_WITH_CLOCK: Final[
    Mapping[str, tuple[Callable[[Informers, CarryOut, Clock, random.Random], Controller], str]]
] = MappingProxyType({
    "deployments": (deployment_controller, "deployment-controller"),
    "replicasets": (replicaset_controller, "replicaset-controller"),
    "daemonsets": (daemon_set_controller, "daemon-set-controller"),
    "statefulsets": (stateful_set_controller, "statefulset-controller"),
    "jobs": (job_controller, "job-controller"),
    "cronjobs": (cron_job_controller, "cronjob-controller"),
    "disruption": (disruption_controller, "disruption-controller"),
    "namespaces": (namespace_controller, "namespace-controller"),
    "customresources": (customresources_controller, "customresources-controller"),
})  # fmt: skip
"""With the name that each has as a user."""
_WITHOUT: Final[
    Mapping[str, tuple[Callable[[Informers, CarryOut, random.Random], Controller], str]]
] = MappingProxyType({
    "endpoints": (endpoints_controller, "endpointslice-controller"),
    "serviceaccounts": (serviceaccount_controller, "service-account-controller"),
    "clusterroles": (clusterrole_controller, "clusterrole-aggregation-controller"),
})  # fmt: skip
