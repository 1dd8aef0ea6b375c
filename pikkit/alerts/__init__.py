"""Alerts of high grades: a durable outbox, and its delivery to n8n, or to Telegram and Supabase."""

from pikkit.alerts.sink import AlertSink, build_sink

__all__ = ["AlertSink", "build_sink"]
