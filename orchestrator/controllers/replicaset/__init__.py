"""ReplicaSets: as many pods as asked for; start at plan.py."""
