"""What it costs: whole commands against real sshd on this machine, peers in the same run. No part of the product."""
