"""Alerts of high grades: a durable outbox, and its delivery to n8n, or to Telegram and Supabase."""

from pikkit.alerts.building import build_sink, why_none
from pikkit.alerts.sink import AlertSink

__all__ = ["AlertSink", "build_sink", "why_none"]
