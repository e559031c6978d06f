"""A Deployment on VMs behind the load balancer: deployed, updated under load."""

import time

import pytest

from scripts.lib.load import Load
from tests.rig.watching import (
    DEPLOYMENTS,
    Balancer,
    containers,
    deployed,
    ready_pods,
    service,
    until,
)
from tests.vm.machines import PATIENCE, REPLICAS, patient_web

pytestmark = pytest.mark.usefixtures("server_log")


def answering(platform):
    balancer = Balancer(platform)
    return [s for h in platform.rig.hosts for s in balancer.in_service(h.address)]


def test_a_deployment_is_spread_served_and_updated_without_a_failed_request(platform, api):
    began = time.monotonic()
    with deployed(api, patient_web("web", REPLICAS), service("web"), within_s=60 * PATIENCE):
        ready_s = time.monotonic() - began
        until("all are served", lambda: len(answering(platform)) == REPLICAS, 20 * PATIENCE)
        assert {p["spec"]["nodeName"] for p in ready_pods(api, "web")} == {
            h.name for h in platform.rig.hosts
        }
        before = {p["metadata"]["uid"] for p in ready_pods(api, "web")}
        # two pods at a time would be the whole of an emulated VM's processor
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        template = {"metadata": {"annotations": {"version": "2"}}}
        began = time.monotonic()
        with Load(
            platform.lb_port, "/web/", threads=2, rate=5.0, limit_s=90 * PATIENCE, timeout_s=60
        ) as load:
            api.merge(f"{DEPLOYMENTS}/web", {"spec": {"strategy": strategy, "template": template}})
            until(
                "all pods are new ones",
                lambda: (
                    len(new := ready_pods(api, "web")) == REPLICAS
                    and not before & {p["metadata"]["uid"] for p in new}
                ),
                60 * PATIENCE,
            )
            updated_s = time.monotonic() - began
            until("the old ones are gone", lambda: len(containers(platform)) == REPLICAS,
                  30 * PATIENCE)  # fmt: skip
        print(
            f"\n{REPLICAS} pods ready after {ready_s:.1f} s, updated in {updated_s:.1f} s; "
            f"{load.result.requests} requests, slowest {load.result.slowest_s:.2f} s"
        )
        assert not load.result.failures
        assert {body.split()[0] for body in load.result.answers} == {
            h.name for h in platform.rig.hosts
        }
