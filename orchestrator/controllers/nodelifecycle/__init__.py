"""Lost and cordoned hosts: taints, evictions, pods without a node; start at plan.py."""
