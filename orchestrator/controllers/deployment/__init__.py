"""Deployments: one ReplicaSet per template, sized by strategy; start at plan.py."""
