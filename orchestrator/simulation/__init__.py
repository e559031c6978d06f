"""What would happen: real controllers and the real scheduler on a copy of the state, in memory.

`run.simulate` is the whole of it: a copy of live objects (`copied`) goes into a store of its own,
the control plane (`plane`) runs over it on virtual time with hosts that only say that pods run
(`hosts`), a scenario (`scenario`) happens to it, and `outcome` compares before and after. It talks
to no server and no host: whoever calls it brings the copy.
"""
