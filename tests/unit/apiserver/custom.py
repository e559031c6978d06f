"""A definition to try things with, and the controller that serves it."""

import asyncio
import random
from contextlib import asynccontextmanager
from copy import deepcopy

from orchestrator.controllers.customresources.controller import customresources_controller
from orchestrator.controllers.garbage.controller import garbage_controller
from orchestrator.controllers.namespace.controller import namespace_controller
from orchestrator.kit.aio.tasks import Tasks
from orchestrator.reconcile.executor import Executor
from orchestrator.reconcile.informers import Informers

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
OLD_WIDGETS = "/apis/example.com/v1beta1/namespaces/default/widgets"

SCHEMA = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 10},
                "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                "replicas": {"type": "integer", "default": 1},
                "port": {"x-kubernetes-int-or-string": True},
                "note": {"type": "string", "nullable": True},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "tags": {
                    "type": "array",
                    "items": {"type": "string"},
                    "x-kubernetes-list-type": "set",
                },
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "phase": {"type": "string"},
                "replicas": {"type": "integer"},
                "selector": {"type": "string"},
            },
        },
    },
}


def version(name="v1", *, storage=True, served=True, schema=SCHEMA, **more):
    return {
        "name": name,
        "served": served,
        "storage": storage,
        "schema": {"openAPIV3Schema": deepcopy(schema)},
        **more,
    }


FULL = {
    "subresources": {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    },
    "additionalPrinterColumns": [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ],
    "selectableFields": [{"jsonPath": ".spec.color"}],
}


def definition(*versions, plural="widgets", kind="Widget", group="example.com", **names):
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, "shortNames": ["wd"]} | names,
            "versions": list(versions) or [version(**FULL)],
        },
    }


def widget(name="one", api_version="example.com/v1", **spec):
    return {
        "apiVersion": api_version,
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": 3, **spec},
    }


@asynccontextmanager
async def serving(world):
    """Runs the controllers of definitions, namespaces and owners."""
    informers, carry_out = Informers(world.store), Executor(world.registry).carry_out
    rng = random.Random(1)
    controllers = [
        customresources_controller(informers, carry_out, world.clock, rng),
        namespace_controller(informers, carry_out, world.clock, rng),
        garbage_controller(informers, carry_out, rng, world.registry.catalog),
    ]
    async with Tasks() as tasks:
        for controller in controllers:
            tasks.supervise(controller.name, controller.run)
        try:
            yield
        finally:
            tasks.stop_supervised()
            informers.close()


async def until(check, timeout_s=5.0):
    """Waits until a coroutine function gives something true, and returns it."""
    async with asyncio.timeout(timeout_s):
        while not (found := await check()):
            await asyncio.sleep(0)
    return found


async def established(world, document):
    """Creates a definition and waits until its kind is served."""
    made = await world.create(CRDS, document)
    name = made["metadata"]["name"]

    async def check():
        conditions = (await world.client.get(f"{CRDS}/{name}")).json["status"]["conditions"]
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    await until(check)
    return made
