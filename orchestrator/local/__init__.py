"""Local clusters: hosts as containers, each with its own sshd and Docker Engine."""
