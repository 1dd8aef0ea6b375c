"""The canary: what both sides did, and the verdict on it."""
