"""A rolling update: hosts out of the balancer, changed, healthy, and back."""
