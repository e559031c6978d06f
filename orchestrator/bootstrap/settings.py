"""Settings of bootstrap: what is asked of a host, and how many are worked on at once."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapSettings:
    """Limits and caps; every one has a default that fits.

    Attributes:
        install: whether missing packages may be installed.
        oldest_python: the shim's own minimum.
        oldest_docker: Engine API 1.40, from 19.03 on, has all that is called.
        oldest_kernel: what Docker asks for.
        least_disk_bytes: free space for the engine's data below which a host is refused.
        warn_disk_bytes: free space below which it is only told.
        clock_skew_limit_s: certificates and leases tolerate this much between hosts.
        clock_skew_warn_s: from here on it is told.
        connect_timeout_s: TCP, banner and authentication, each.
        command_timeout_s: one step; installing an engine over a slow line takes minutes.
        parallel: hosts worked on at once; key exchange is CPU work, more does not help.
        parallel_per_jump: connections through one jump host at once; sshd starts to drop new
            ones at random from ten on (MaxStartups).
        ready_timeout_s: from registered to Ready.
        server_timeout_s: from started to /readyz.
    """

    install: bool = True
    oldest_python: tuple[int, ...] = (3, 8)
    oldest_docker: tuple[int, ...] = (19, 3)
    oldest_kernel: tuple[int, ...] = (3, 10)
    least_disk_bytes: int = 1 << 30
    warn_disk_bytes: int = 5 << 30
    clock_skew_limit_s: float = 30.0
    clock_skew_warn_s: float = 2.0
    connect_timeout_s: float = 15.0
    command_timeout_s: float = 900.0
    parallel: int = 32
    parallel_per_jump: int = 8
    ready_timeout_s: float = 90.0
    server_timeout_s: float = 60.0

    def patient(self, factor: float) -> "BootstrapSettings":
        """The same with deadlines that are so many times as long, for hosts that are slow."""
        return replace(
            self,
            connect_timeout_s=self.connect_timeout_s * factor,
            command_timeout_s=self.command_timeout_s * factor,
            ready_timeout_s=self.ready_timeout_s * factor,
            server_timeout_s=self.server_timeout_s * factor,
        )
