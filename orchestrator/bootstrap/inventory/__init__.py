"""From a file to hosts: orch's own YAML, Ansible's YAML, OpenSSH client configuration.

Parsing only: nothing here connects anywhere. Start at `load.py`; `model.py` has the result,
`located.py` the YAML values that know their line, `checks.py` the rules that all shapes share.
"""
