"""The part of orch that runs on a host: standard library only, Python 3.8 or newer.

Pushed over SSH as one zip into a tmpfs directory, started detached, reached through a Unix socket
that only its owner can open. It owns what the Docker Engine API cannot do and what must go on
without the server: probes, files for volumes, facts, usage, heartbeats. It knows nothing of
`orchestrator`. Start reading at `wire.py` (frames), then `service.py` (the table of operations).

Wire: every frame is a 4-byte big-endian length and that many bytes of one JSON object (UTF-8), at
most `wire.MAX_FRAME_BYTES`. Names are snake_case, units are in the names, times are wall seconds
since the epoch (float). There are five kinds of frames:

    request   client → shim   {"id": 7, "op": "probes.set", "payload": {...}}
    cancel    client → shim   {"id": 7, "cancel": true}            the answer is error "cancelled"
    result    shim → client   {"id": 7, "result": {...}}
    error     shim → client   {"id": 7, "error": {"code": "bad_request", "message": "..."}}
    event     shim → client   {"event": "probe", ...}              after hello, unasked

Error codes: bad_request (payload is wrong; the message names the field), unknown_operation,
hello_required, version_mismatch, not_found, forbidden (outside the allowed root), too_large,
busy (over a limit of concurrency: try again), cancelled, engine (the engine refused; its words),
failed (the host refused: disk full, no permission; its words).

Operations (all idempotent unless said otherwise; unknown payload fields are bad_request):

hello       {"protocol": 1, "hash": "<hash of the zip that the client has>",
             "epoch": "" | "<epoch seen before>", "after_seq": 0}
            → {"protocol": 1, "hash": "...", "epoch": "<random per shim process>", "seq": 41,
               "pid": 4711, "started_s": 1.7e9, "boot_id": "...", "files_root": "/run/orch/files",
               "socket": "...", "engine_socket": "/var/run/docker.sock"}
            Must be the first request. Then events are pushed: first what the client missed. With
            the epoch seen before, every event with seq > after_seq, exactly once, in order; else
            (another shim process, or too long away) the last event of every probe, each with
            "replayed": true. The counter "restarts" in it is a total, so nothing is lost.

ping        {} → {"time_s": 1.7e9, "uptime_s": 12.5, "seq": 41}

facts       {} → {"hostname": "web-1", "os": {"id": "debian", "version_id": "12", "name":
             "Debian GNU/Linux 12 (bookworm)"}, "kernel": "6.1.0-18-amd64", "architecture":
             "x86_64", "cores": 4, "memory_bytes": 8e9, "swap_bytes": 0,
             "disks": [{"mount": "/", "device": "/dev/vda1", "type": "ext4", "size_bytes": 1,
             "free_bytes": 1}], "addresses": [{"interface": "eth0", "family": "ipv4",
             "address": "203.0.113.10", "prefix": 24}], "boot_id": "...", "machine_id": "...",
             "python": "3.11.2", "time_s": 1.7e9, "uptime_s": 3600.0, "init": "systemd",
             "cgroup": 2, "user": "root", "uid": 0}

usage       {"containers": ["<full id>", ...]}      (default: none)
            → {"time_s": 1.7e9, "monotonic_s": 123.4 (only differences mean something),
               "host": {"cpu_s": 123.4 (busy, all cores, since boot), "cores": 4, "load_1m": 0.2,
                 "memory_bytes": 1 (used = total - available), "memory_total_bytes": 1,
                 "disks": [as in facts], "network": {"received_bytes": 1, "sent_bytes": 1}},
               "containers": {"<id>": {"cpu_s": 1.5, "memory_bytes": 1, "working_set_bytes": 1,
                 "memory_limit_bytes": 0 (none) , "pids": 3, "read_bytes": 1, "written_bytes": 1}}}
            Containers without a cgroup (stopped, unknown) are left out.

probes.set  {"container_id": "<full id>",           replaces all probes of that container
             "key": "<opaque, echoed in events; pod uid/container name>",
             "address_of": "<full id of another container>",   default: the container itself; the
                                    sandbox when the network namespace is another container's
             "on_failure": "restart" | "stop",      what liveness and startup failure do
             "grace_s": 30,
             "probes": {"startup": PROBE, "readiness": PROBE, "liveness": PROBE}}   any subset
    PROBE = {one of
               "http_get": {"port": 8080, "path": "/healthz", "scheme": "HTTP" | "HTTPS",
                            "host": "", "headers": [["Host", "x"], ...]},
               "tcp_socket": {"port": 5432, "host": ""},
               "exec": {"argv": ["cat", "/tmp/ok"]},
             "initial_delay_s": 0, "period_s": 10, "timeout_s": 1, "success_threshold": 1,
             "failure_threshold": 3, "grace_s": null (else instead of the container's)}
            → {"probes": [EVENT, ...]}   the present state of each, shaped like the event below
            Setting the same probes again changes nothing (no restart of delays or counts). An
            empty host means the container's own address, read from the engine at each start
            (127.0.0.1 with host networking). Restarts keep apart: 10 s, 20 s, ... 300 s, forgotten
            after 10 min; meanwhile failed attempts are told without action. Probes pause while the
            container does not run and begin anew at each start; they go when it is destroyed.

probes.remove {"container_id": "..."} → {"removed": true | false}

probes.list {} → {"probes": [EVENT, ...]}

files.write_tree {"path": "pods/<uid>/volumes/<name>",  below files_root
             "files": {"a.conf": {"data": "<base64>", "mode": 420}, "sub/b": {...}},
             "dir_mode": 493, "uid": null, "gid": null}
            → {"path": "/run/orch/files/pods/...", "changed": true}
            Atomic as Kubernetes does it: a new directory `..<time>` is filled, `..data` is
            switched to it by rename, `a.conf` is a link into `..data`; readers see the old tree
            or the new one. "changed": false when it already was exactly so. Without files it is
            an empty directory.

files.make_dir {"path": "...", "mode": 511, "uid": null, "gid": null}
            → {"path": "/run/orch/files/...", "changed": true}   a plain directory (emptyDir)

files.remove {"path": "..."} → {"removed": true | false}     the tree and parents left empty

files.list  {"path": ""} → {"trees": [{"path": "pods/<uid>/volumes/<name>",
             "files": ["a.conf", "sub/b"]}]}     below path; plain directories without files

shutdown    {"clean": false} → {}     ends the shim; with clean its directory goes too

Events:

heartbeat   {"event": "heartbeat", "time_s": 1.7e9, "seq": 41}           every second, no seq of
                                                                         its own: the last one
probe       {"event": "probe", "seq": 42, "time_s": 1.7e9, "container_id": "...", "key": "...",
             "probe": "startup" | "readiness" | "liveness",
             "state": "unknown" | "success" | "failure",     by the thresholds
             "attempt": "" | "success" | "failure",           the attempt that made this event
             "message": "HTTP probe failed with statuscode: 500",
             "action": "" | "restart" | "stop",               done because of it
             "action_error": "",                              the engine's words if it refused
             "restarts": 1,                     restarts by the shim of this container, in total
             "started_at": "<the engine's State.StartedAt that this is about>",
             "replayed": false}
            Pushed when `state` changes, at every failed attempt, and with every action.
            "unknown": the container does not run, or the first attempts are still to come.
            A container without a probe of a kind has no events of that kind.
"""
