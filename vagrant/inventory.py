"""Writes an orch inventory from what `vagrant ssh-config` prints.

Vagrant knows how to log in: the user, the key. Its address is only its own way in (the management
network of libvirt, a forwarded port of VirtualBox); the cluster lives on the private network, where
node-N has the address that the Vagrantfile gives it: SUBNET.(10 + N).

    vagrant ssh-config | python3 vagrant/inventory.py --cluster orch --subnet 192.168.56
"""

import argparse
import json
import re
import sys

HEAD = "# Written by vagrant/cluster from `vagrant ssh-config`."


def hosts(ssh_config: str) -> dict[str, dict[str, str]]:
    """Each host's options, by its name and in order; keywords in lower case, values without quotes.

    Source: ssh_config(5).
    """
    found: dict[str, dict[str, str]] = {}
    options: dict[str, str] = {}
    for line in ssh_config.splitlines():
        match = re.match(r"\s*(\w+)[\s=]+(.*?)\s*$", line)
        if match is None:
            continue
        key, value = match[1].lower(), match[2].strip('"')
        if key == "host":
            options = found.setdefault(value, {})
        else:
            options.setdefault(key, value)  # as in ssh, the first one counts
    return found


def address(name: str, subnet: str) -> str:
    """The address that the Vagrantfile gives a node on the private network.

    Raises:
        ValueError: the name is not that of a node.
    """
    match = re.fullmatch(r"node-([1-9]\d*)", name)
    if match is None:
        raise ValueError(f"{name!r} is no name of a node of the Vagrantfile; those are node-1, ...")
    return f"{subnet}.{10 + int(match[1])}"


def inventory(ssh_config: str, cluster: str, subnet: str) -> str:
    """The inventory's text: one node a line, in Vagrant's order.

    Raises:
        ValueError: there is no host, one is no node, or one lacks its user or key.
    """
    found = hosts(ssh_config)
    if not found:
        raise ValueError("`vagrant ssh-config` names no host; are the VMs running?")
    lines = [HEAD, f"cluster: {cluster}", "nodes:"]
    for name, options in found.items():
        missing = [word for word in ("User", "IdentityFile") if not options.get(word.lower())]
        if missing:
            raise ValueError(f"`vagrant ssh-config` gives {name} no {' and no '.join(missing)}")
        host, user = address(name, subnet), options["user"]
        key = json.dumps(options["identityfile"])  # a path may hold what YAML takes for its own
        lines.append(f"  - {{name: {name}, host: {host}, user: {user}, identity_file: {key}}}")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Standard input to standard output."""
    parser = argparse.ArgumentParser(description="orch inventory from `vagrant ssh-config`")
    parser.add_argument("--cluster", required=True)
    parser.add_argument("--subnet", required=True, help="first three numbers: 192.168.56")
    asked = parser.parse_args()
    try:
        sys.stdout.write(inventory(sys.stdin.read(), asked.cluster, asked.subnet))
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
