"""DaemonSets: one pod on every host that it is for."""
