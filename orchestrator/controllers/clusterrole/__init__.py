"""ClusterRoles that are put together from others by their labels; start at plan.py."""
