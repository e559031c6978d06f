"""Settings of the way to the hosts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """How hosts are connected and watched.

    Attributes:
        connect_timeout_s: for connection, key exchange and login, per host or jump host; an sshd
            on a loaded host takes seconds.
        keepalive_s: between SSH keep-alives. Only a backstop: the shim's heartbeat is quicker.
        keepalive_count: unanswered keep-alives after which the connection is given up.
        heartbeat_silence_s: a host is lost after this long without a heartbeat; the shim sends one
            every second, so that three may be late.
        heartbeat_patience_s: the same when a new TCP connection shows sshd alive at that moment:
            the link was cut and is back, and the old connection only waits for a retransmission.
        handshakes_per_hop: logins at the same time through one host or jump host; sshd's default
            MaxStartups refuses from 10 on.
        handshakes_overall: logins at the same time in all; each costs 3 ms of CPU here.
        handshake_jitter_s: a login waits up to this long, drawn at random, so that a fleet that
            comes back does not come at once; not the first ones.
        sessions_per_host: commands at the same time on one connection; sshd's default MaxSessions
            is 10, and the shim takes one.
        runtime_dir: where the shim lives on hosts where we may become root; a tmpfs.
        python: command that starts Python 3.8 or newer on the hosts.
        ssh_config: OpenSSH client configuration that is honoured; "" for none.
        shim_start_s: how long the shim may take to start and answer.
    """

    connect_timeout_s: float = 15.0
    keepalive_s: float = 3.0
    keepalive_count: int = 2
    heartbeat_silence_s: float = 3.5
    heartbeat_patience_s: float = 6.5
    handshakes_per_hop: int = 8
    handshakes_overall: int = 50
    handshake_jitter_s: float = 0.3
    sessions_per_host: int = 8
    runtime_dir: str = "/run/orch"
    python: str = "python3"
    ssh_config: str = "~/.ssh/config"
    shim_start_s: float = 20.0
