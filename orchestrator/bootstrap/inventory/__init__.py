"""The user's list of hosts: three formats in, one `Inventory` out, every fault at once.

`load.py` detects the shape; `native.py` reads orch's own YAML, `ansible.py` and `sshconfig.py` the
other two; `located.py` keeps line numbers, `values.py` checks single values. No host is contacted.
Start reading at `model.py`.
"""
