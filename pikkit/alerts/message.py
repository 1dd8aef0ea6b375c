"""An alert: what receivers get, and the words that people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from pikkit.alerts.harmless import clean, shown
from pikkit.alerts.identity import start_of
from pikkit.bets.prediction import play_to
from pikkit.bets.times import utc_text

__all__ = ["Alert", "Style", "digest_line", "digest_payload", "message", "payload_of"]

_LIMIT = 4096  # UTF-16 units, as Telegram counts
_HEADS = {"A": "🟢", "B": "🔵"}
_LEFT_OUT = frozenset({"odds_format", "market_prices", "reference_prices"})  # long, and summed up in the prediction
_OF_REQUEST = frozenset({"client_ref", "ttl_s", "model_version"})
_LONGEST_NAME = 200
_LONGEST_WORDS = 160
_MINUS = "\u2212"
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Alert:
    """`payload` is the JSON object that receivers get, `message` included (Telegram's HTML)."""

    alert_id: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Style:
    """How messages are written: `bankroll` in money (0: unknown), hosts that may be linked to."""

    bankroll: float = 0.0
    link_hosts: tuple[str, ...] = ()


def payload_of(
    bet: Mapping[str, Any], prediction: Mapping[str, Any], about: Mapping[str, Any], *, at: float
) -> dict[str, Any]:
    """The JSON object about a graded bet; texts from callers are cleaned, so that every receiver can store them.

    Args:
        bet: as the API takes it.
        prediction: as the API answers it.
        about: environment, deployment, model_version, seen_at (ISO 8601), …
        at: when it was graded, seconds since the epoch.
    """
    return {
        "type": "high_grade_bet",
        "grade": prediction["bet_grade"],
        "play_to": play_to(prediction, bet["odds"]),
        "bet": clean({name: value for name, value in bet.items() if name not in _LEFT_OUT}),
        "prediction": clean({name: value for name, value in prediction.items() if name not in _OF_REQUEST}),
        **clean(dict(about)),
        "timestamp": utc_text(at),
    }


def message(payload: Mapping[str, Any], now: float, style: Style = Style()) -> str:
    """The alert as Telegram's HTML, at most 4,096 UTF-16 units.

    Args:
        payload: as `payload_of` makes it.
        now: seconds since the epoch, at which it will be read.
        style: bankroll, links.
    """
    if payload["type"] == "digest":
        return _joined(_digest_lines(payload))
    bet, prediction = payload["bet"], payload["prediction"]
    head = _HEADS.get(str(payload["grade"]), "")
    lines = [
        f"{head} <b>{_match(bet)}</b> · {_start(bet, now)}",
        *_improved(payload),
        f"<b>{_pick(bet)}</b> · {_kind(bet)}",
        *(f"· {_match(leg)}: {_pick(leg)}" for leg in bet.get("legs") or ()),
        _price(bet, prediction),
        _figures(payload["grade"], prediction),
        _stake(prediction, style),
        f"Why: {'; '.join(_reasons(prediction))}",
        _age(payload, now),
        *_link(bet, style),
        *(f"⚠ {shown(words, _LONGEST_WORDS)}" for words in prediction.get("warnings") or ()),
        f"<i>{shown(payload['environment'])}, models {shown(payload['model_version'])}</i>",
    ]
    return _joined(lines)


def digest_payload(about: Mapping[str, Any], limit: int, at: float) -> dict[str, Any]:
    """A message about alerts that were too many; `digest_line` tells of each."""
    return {
        "type": "digest",
        "grade": "B",
        "bet": {},
        "prediction": {},
        "left_out": 0,
        "limit_per_hour": limit,
        "lines": [],
        **clean(dict(about)),
        "timestamp": utc_text(at),
    }


def digest_line(payload: Mapping[str, Any]) -> str:
    """One bet in a line of a digest."""
    bet = payload["bet"]
    return f"{payload['grade']} · {_match(bet)} · {_pick(bet)} {_american(bet['odds'])} at {_book(bet)}"


def _digest_lines(payload: Mapping[str, Any]) -> list[str]:
    count, listed = int(payload["left_out"]), list(payload["lines"])
    more = [f"… and {count - len(listed)} more"] if count > len(listed) else []
    return [
        f"📋 <b>{count} more bets graded A or B</b>",
        f"Beyond {payload['limit_per_hour']} alerts an hour (ALERTS_PER_HOUR) they get no message of their own.",
        *listed,
        *more,
    ]


def _joined(lines: Sequence[str]) -> str:
    text = ""
    for line in lines:  # whole lines only: a cut within one could open a tag and never close it
        longer = f"{text}\n{line}" if text else line
        if len(longer.encode("utf-16-le")) // 2 > _LIMIT:
            break
        text = longer
    return text


def _match(bet: Mapping[str, Any]) -> str:
    if bet.get("event"):
        return shown(bet["event"], _LONGEST_NAME)
    if bet.get("legs"):
        return f"{len(bet['legs'])} legs"
    return (
        " · ".join(shown(bet[name], _LONGEST_NAME) for name in ("sport", "league") if bet.get(name))
        + " (match not told)"
    )


def _start(bet: Mapping[str, Any], now: float) -> str:
    start = start_of(bet)
    live = "live" if bet.get("is_live") else ""
    if start is None:
        return live or "start not told"
    when = datetime.fromtimestamp(start, UTC).strftime("%a %d %b %H:%M UTC")
    return f"{when} ({live or f'in {_span(start - now)}'})"


def _pick(bet: Mapping[str, Any]) -> str:
    name = shown(bet.get("selection") or bet["market"], _LONGEST_NAME)
    line = bet.get("line")
    if line is None:
        return name
    total = name.casefold() in ("over", "under")
    return f"{name} {float(line):g}" if total else f"{name} {float(line):+g}".replace("-", _MINUS)


def _kind(bet: Mapping[str, Any]) -> str:
    kinds = [*([bet["market"]] if bet.get("selection") else []), bet.get("league") or bet["sport"]]
    if bet.get("bet_type") not in (None, "straight"):
        kinds.append(bet["bet_type"])
    return " · ".join(shown(kind, _LONGEST_NAME) for kind in kinds)


def _book(bet: Mapping[str, Any]) -> str:
    return shown(bet["institution_name"], _LONGEST_NAME)


def _american(odds: float) -> str:
    return f"{float(odds):+g}".replace("-", _MINUS)


def _price(bet: Mapping[str, Any], prediction: Mapping[str, Any]) -> str:
    end = play_to(prediction, bet["odds"])
    until = "" if end is None else f" · play to {_american(end)}"
    return f"<b>{_american(bet['odds'])}</b> at {_book(bet)}{until}"


def _figures(grade: str, prediction: Mapping[str, Any]) -> str:
    fair = prediction.get("fair_probability")
    parts = [
        f"Grade {grade}",
        f"win {_percent(prediction['win_probability'])}",
        f"fair {'unknown' if fair is None else _percent(fair)}",
        f"edge {100 * prediction['edge']:+.1f} %",
        f"ROI {prediction['expected_roi']:+.1f} %",
    ]
    return " · ".join(parts)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def _stake(prediction: Mapping[str, Any], style: Style) -> str:
    stake = float(prediction["recommended_stake_pct"])
    money = f" = {style.bankroll * stake / 100:,.2f} of {style.bankroll:,.2f}" if style.bankroll else ""
    return f"Stake {stake:.2f} % of bankroll{money}"


def _reasons(prediction: Mapping[str, Any]) -> list[str]:
    """Two reasons, the strongest evidence first: other prices, the model against the price, past bets."""
    found: list[str] = []
    price, fair = prediction["implied_probability"], prediction.get("fair_probability")
    if fair is not None:
        source = {"reference": "other books", "market": "this book's own market"}.get(
            str(prediction.get("fair_method")), "the market"
        )
        found.append(f"{source} without vig: {_percent(fair)}, this price needs {_percent(price)}")
    own = prediction.get("model_probability", prediction["win_probability"])
    found.append(f"the model gives {_percent(own)}, the price {_percent(price)}")
    past = int(prediction["sample_size"])
    found.append(f"{past:,} past bets, confidence {100 * prediction['confidence']:.0f} %")
    found[:0] = [shown(words, _LONGEST_WORDS) for words in (prediction.get("reasons") or ())[:1]]
    return found[:2]


def _improved(payload: Mapping[str, Any]) -> list[str]:
    before = payload.get("improved")
    if not before:
        return []
    was = f"{before['grade']} at {_american(before['odds'])}"
    return [f"⬆ improved: was {was}, is {payload['grade']} at {_american(payload['bet']['odds'])}"]


def _age(payload: Mapping[str, Any], now: float) -> str:
    seen = datetime.fromisoformat(payload.get("seen_at") or payload["timestamp"]).timestamp()
    line = f"Price seen {_span(max(0.0, now - seen))} ago"
    reference = payload["prediction"].get("reference_age_s")
    return line if reference is None else f"{line}, others' prices {_span(float(reference))} older"


def _span(seconds: float) -> str:
    whole = max(0, round(seconds))
    if whole < 2 * _MINUTE_S:
        return f"{whole} s"
    if whole < 2 * _HOUR_S:
        return f"{whole // _MINUTE_S} min"
    if whole < 2 * _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"
    return f"{whole // _DAY_S} days"


def _link(bet: Mapping[str, Any], style: Style) -> list[str]:
    url = bet.get("url")
    if not url:
        return []
    if _may_link(str(url), style.link_hosts):
        return [f'<a href="{shown(url, 2000, quote=True, live=True)}">Open the bet</a>']
    return [shown(url, _LONGEST_WORDS)]


def _may_link(url: str, hosts: Sequence[str]) -> bool:
    """Whether it leads to one of the hosts, or below one: by https, with no user name and nothing that hides one."""
    if not url.isascii() or any(mark in url for mark in "\\\"'<> \t\r\n"):
        return False
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return False
    if parts.scheme != "https" or "@" in parts.netloc or port not in (None, 443):
        return False
    return any(host == allowed or host.endswith(f".{allowed}") for allowed in (one.lower() for one in hosts))
