"""End-to-end tests on real VMs, which `vagrant/cluster` makes; run by `scripts/test vm`."""
