"""Rebalance: pods whose place has become a bad one are evicted, so that they get a better one.

Off unless `rebalance.enabled`. `strategies` says which places are bad, `movable` which pods stay
wherever they are, `plan` which of the others go now, and `mirror` keeps what the plan asks: the
same arrays of hosts and the same pure code that the scheduler decides with.

Source: Kubernetes' descheduler, its strategies and their names.
"""
