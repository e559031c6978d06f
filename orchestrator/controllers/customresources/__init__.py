"""CustomResourceDefinitions: their names accepted, their objects deleted; start at plan.py."""
