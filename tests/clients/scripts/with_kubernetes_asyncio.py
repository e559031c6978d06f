"""The asyncio client: calls side by side, a watch, and an exec over its WebSocket."""

import asyncio
import sys

from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.stream import WsApiClient


async def main(namespace: str) -> None:
    await config.load_kube_config()
    async with client.ApiClient() as api:
        core = client.CoreV1Api(api)
        bodies = [{"metadata": {"name": f"m{n}"}, "data": {"n": str(n)}} for n in range(20)]
        await asyncio.gather(*(core.create_namespaced_config_map(namespace, b) for b in bodies))
        first = await core.list_namespaced_config_map(namespace, limit=7)
        assert len(first.items) == 7
        rest = await core.list_namespaced_config_map(namespace, _continue=first.metadata._continue)
        assert len(rest.items) == 13
        container = {"name": "c", "image": "orch-test/busybox:1", "command": ["sleep", "60"]}
        pod = {"metadata": {"name": "p"}, "spec": {"containers": [container],
               "terminationGracePeriodSeconds": 0}}  # fmt: skip
        await core.create_namespaced_pod(namespace, pod)
        async with watch.Watch().stream(
            core.list_namespaced_pod, namespace, timeout_seconds=40
        ) as events:
            async for event in events:
                if event["object"].status.phase == "Running":
                    break
    async with WsApiClient() as api:
        said = await client.CoreV1Api(api).connect_get_namespaced_pod_exec(
            "p", namespace, command=["echo", "hello"],
            stderr=True, stdin=False, stdout=True, tty=False,
        )  # fmt: skip
        assert said == "hello\n", said
    print("ok")


asyncio.run(main(sys.argv[1]))
