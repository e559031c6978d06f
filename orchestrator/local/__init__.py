"""Local clusters: hosts as containers, each with its own sshd and Docker Engine.

A user feature (`orch local`) and the rig of the tests. `names.py` has labels and paths, `engine.py`
the engine of this machine, `image.py` how the host image is made, `hosts.py` one host's container,
`cluster.py` whole clusters, `seeding.py` images into the inner engines, `faults.py` how to lose a
host. Knows nothing of the control plane: it hands out an inventory, as a user would write one.
Start reading at `cluster.py`.
"""
