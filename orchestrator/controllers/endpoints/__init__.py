"""EndpointSlices and Endpoints of Services: where pods are really reached; start at plan.py."""
