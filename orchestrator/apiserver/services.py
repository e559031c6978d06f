"""What the verbs need, in one value; built once by `app.build_app`."""

import random
from dataclasses import dataclass

from orchestrator.apiserver.accounts import AccountTokens
from orchestrator.apiserver.authn import Authenticator
from orchestrator.apiserver.authz import Authorizer
from orchestrator.apiserver.lanes import Lanes
from orchestrator.apiserver.metrics import ApiMetrics
from orchestrator.apiserver.paths import Paths
from orchestrator.apiserver.settings import ApiServerSettings
from orchestrator.apiserver.streams import OpenStreams
from orchestrator.apiserver.verbs.lines import SharedLines
from orchestrator.kit.clock import Clock
from orchestrator.node.streams import StreamsProvider
from orchestrator.reconcile.usage import UsageSource
from orchestrator.registry.registry import Registry
from orchestrator.scheduler.placement import Explainer
from orchestrator.store.store import Store


@dataclass(frozen=True, slots=True)
class Services:
    """The parts behind the API.

    Attributes:
        accounts: service accounts' tokens.
        authenticator: who a token stands for.
        authorizer: who may do what.
        registry: the one door for object writes, and filtered reads.
        store: revisions and watches.
        pod_streams: log streams from a pod's host.
        usage: what nodes and pods use.
        explainer: who knows how pods are placed; None where nobody does.
        settings: limits and intervals.
        clock: ages in tables, durations.
        rng: spreads the ends of watches.
        metrics: counters.
        lanes: seats for requests, and who waits for one.
        lines: lines of watches that many watchers want.
        open_streams: watches and log streams to end at a stop.
        paths: what paths name.
    """

    accounts: AccountTokens
    authenticator: Authenticator
    authorizer: Authorizer
    registry: Registry
    store: Store
    pod_streams: StreamsProvider
    usage: UsageSource
    explainer: Explainer | None
    settings: ApiServerSettings
    clock: Clock
    rng: random.Random
    metrics: ApiMetrics
    lanes: Lanes
    lines: SharedLines
    open_streams: OpenStreams
    paths: Paths
