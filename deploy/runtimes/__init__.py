"""What runs a slot: processes of this machine, containers, or a cluster."""
