"""Alerts for high grades: a durable outbox and the channels that it is delivered to."""
