"""HorizontalPodAutoscalers: as many replicas as the pods' usage asks for; start at plan.py."""
