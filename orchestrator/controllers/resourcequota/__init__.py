"""ResourceQuotas: what their namespaces use of them; start at plan.py."""
