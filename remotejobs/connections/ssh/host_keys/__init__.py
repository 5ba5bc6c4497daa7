"""Whether the one at the other end is the host that is meant (`check`)."""
