"""What the service offers graded bets to: A and B bets go into the outbox, within the request."""

from __future__ import annotations

import sqlite3
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from pikkit.alerts.delivery import Consumer
from pikkit.alerts.message import Alert, dedup_key, make_alert
from pikkit.alerts.outbox import Outbox, OutboxFigures
from pikkit.alerts.receivers.n8n import N8nWebhook
from pikkit.alerts.receivers.port import Receiver
from pikkit.alerts.receivers.telegram import Telegram
from pikkit.bets.bet import Bet
from pikkit.bets.prediction import Prediction
from pikkit.settings import Settings
from pikkit.telemetry.logs import get_logger

__all__ = ["AlertSink", "build_receivers", "build_sink"]

GRADES = frozenset({"A", "B"})
_REMEMBERED = 10_000  # keys that this worker knows to have raised an alert; saves the look into the file
_HELD = 1_000  # alerts kept in memory while the file can't be written

_log = get_logger("pikkit.alerts")


class AlertSink:
    """Puts alerts into the outbox and has them delivered. Never raises, never waits for a receiver."""

    def __init__(
        self,
        settings: Settings,
        receivers: Sequence[Receiver],
        *,
        counted: Callable[[str, str, int], None] = lambda _channel, _outcome, _count: None,
        dropped: Callable[[int], None] = lambda _count: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make one; alerts are accepted at once, and delivered after `start`.

        Args:
            settings: DATA_DIR, ALERT_WINDOW, and how this slot is called.
            receivers: one per channel.
            counted: told channel, outcome and how many.
            dropped: told how many alerts never reached the outbox.
            clock: seconds since the epoch.
        """
        self._settings = settings
        self._window_s = settings.alert_window
        self._channels = [receiver.channel for receiver in receivers]
        self._outbox = Outbox(settings.data_dir)
        self._counted = counted
        self._dropped = dropped
        self._clock = clock
        self._known: OrderedDict[str, float] = OrderedDict()
        self._held: deque[Alert] = deque()
        self._consumer = Consumer(
            self._outbox,
            receivers,
            settings.data_dir / "alerts.lock",
            window_s=settings.alert_window,
            counted=counted,
            clock=clock,
        )

    def offer(
        self, bets: Sequence[Bet], predictions: Sequence[Prediction], *, model_version: str, dry_run: bool = False
    ) -> None:
        """Raise an alert for each bet graded A or B that raised none within the window."""
        if dry_run:
            return
        now = self._clock()
        fresh: list[Alert] = list(self._held)
        self._held.clear()
        repeated = 0
        for bet, prediction in zip(bets, predictions, strict=True):
            if prediction["bet_grade"] in GRADES:
                key = dedup_key(bet, model_version, now)
                if abs(now - self._known.get(key, float("-inf"))) < self._window_s:
                    repeated += 1
                    continue
                fresh.append(
                    make_alert(
                        bet,
                        prediction,
                        model_version=model_version,
                        environment=self._settings.environment,
                        deployment=self._settings.deployment,
                        now=now,
                    )
                )
                self._remember(key, now)
        if fresh:
            repeated += len(fresh) - self._put(fresh)
        if repeated:
            for channel in self._channels:
                self._counted(channel, "duplicate", repeated)

    def start(self) -> None:
        """Deliver from now on."""
        self._consumer.start()

    def stop(self) -> None:
        """End after the delivery under way; what waits stays in the outbox."""
        self._consumer.stop()

    def figures(self) -> OutboxFigures:
        """State of the outbox, for metrics."""
        try:
            return self._outbox.figures(self._clock())
        except sqlite3.Error:
            return OutboxFigures(0, 0.0, 0)

    def _put(self, alerts: list[Alert]) -> int:
        """Queue them; returns how many are not lost: queued, or held in memory until the file can be written."""
        try:
            return len(self._outbox.put(alerts, self._channels, self._window_s))
        except sqlite3.Error as cause:
            _log.error("alerts can't be stored, they are held in memory", count=len(alerts), reason=str(cause))
            self._held.extend(alerts)
            lost = 0
            while len(self._held) > _HELD:
                self._held.popleft()
                lost += 1
            if lost:
                self._dropped(lost)
            return len(alerts)

    def _remember(self, key: str, now: float) -> None:
        self._known[key] = now
        self._known.move_to_end(key)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def build_receivers(settings: Settings) -> list[Receiver]:
    """n8n where its webhook is set; else Telegram and Supabase, whichever are."""

    def secret(name: str) -> str | None:
        value = getattr(settings, name)
        return None if value is None else str(value.get_secret_value())

    if settings.n8n_webhook_url is not None:
        return [N8nWebhook(str(settings.n8n_webhook_url), secret("n8n_webhook_secret"))]
    receivers: list[Receiver] = []
    token = secret("telegram_bot_token")
    if token and settings.telegram_chat_id:
        receivers.append(Telegram(token, settings.telegram_chat_id, api=str(settings.telegram_api_url).rstrip("/")))
    key = secret("supabase_service_key")
    if settings.supabase_url is not None and key:
        from pikkit.alerts.receivers.supabase import SupabaseTable  # noqa: PLC0415 - a fifth of a second to import

        receivers.append(SupabaseTable(str(settings.supabase_url), key))
    return receivers


def build_sink(
    settings: Settings, *, counted: Callable[[str, str, int], None], dropped: Callable[[int], None]
) -> AlertSink | None:
    """The sink that the settings describe; None where alerts are off or no receiver is set."""
    if not settings.alerts_enabled:
        return None
    receivers = build_receivers(settings)
    if not receivers:
        return None
    return AlertSink(settings, receivers, counted=counted, dropped=dropped)
