import html
import re
from typing import Any

import pytest

from pikkit.alerts.message import Style, digest_line, digest_payload, message
from pikkit.bets.odds import expected_roi_pct
from pikkit.bets.prediction import play_to
from tests.support.alerts import NOON, an_alert

FAIR = {
    "fair_probability": 0.44,
    "fair_method": "reference",
    "reference_age_s": 7.0,
    "model_probability": 0.46,
    "win_probability": 0.45,
    "expected_roi": 12.5,
    "implied_probability": 0.4,
    "edge": 0.05,
}


def text(*, style: Style = Style(), now: float = NOON, grade: str = "A", **bet: Any) -> str:  # noqa: B008 - frozen
    prediction = bet.pop("prediction", FAIR)
    return message(an_alert(grade, prediction=prediction, **bet).payload, now, style)


def seen(words: str) -> list[str]:
    """The lines as a person sees them."""
    return [
        html.unescape(re.sub(r"<[^>]+>", "", line)).replace("\u2060", "").replace("\u2212", "-")
        for line in words.split("\n")
    ]


def test_the_message_leads_with_match_and_start_then_pick_price_and_all_that_one_needs_to_bet() -> None:
    style = Style(bankroll=1000, link_hosts=("fanduel.example",))
    lines = seen(text(style=style, url="https://sportsbook.fanduel.example/x?a=1&b=2"))
    assert lines == [
        "🟢 MTL @ BOS · Mon 26 Jan 13:00 UTC (in 60 min)",
        "MTL -1.5 · Puck Line · NHL",
        "+150 at FanDuel · play to +123",
        "Grade A · win 45.0 % · fair 44.0 % · edge +5.0 % · ROI +12.5 %",
        "Stake 1.25 % of bankroll = 12.50 of 1,000.00",
        "Why: other books without vig: 44.0 %, this price needs 40.0 %; the model gives 46.0 %, the price 40.0 %",
        "Price seen 12 s ago, others' prices 7 s older",
        "Open the bet",
        "test, models m1",
    ]


def test_a_legacy_bet_says_what_is_not_told() -> None:
    bare: dict[str, Any] = {"event": None, "selection": None, "line": None, "starts_at": None, "league": None}
    lines = seen(text(grade="B", prediction={}, **bare))
    assert lines[0] == "🔵 Ice Hockey (match not told) · start not told"
    assert lines[1] == "Puck Line · Ice Hockey"
    assert "fair unknown" in lines[3]
    assert "300 past bets, confidence 80 %" in lines[5]


def test_the_age_of_the_price_is_that_of_the_moment_it_is_sent() -> None:
    assert "Price seen 20 min ago" in text(now=NOON + 20 * 60 - 12)
    assert "(in 40 min)" in text(now=NOON + 20 * 60)


def test_live_bets_totals_and_parlays_read_as_bettors_write_them() -> None:
    assert seen(text(is_live=True, starts_at="2026-01-26T11:30:00Z"))[0].endswith("11:30 UTC (live)")
    assert seen(text(selection="Over", line=224.5))[1].startswith("Over 224.5")
    assert seen(text(selection="MTL", line=0.5))[1].startswith("MTL +0.5")
    legs = [{"event": "A @ B", "selection": "A", "market": "m"}, {"event": "C @ D", "selection": "D", "market": "m"}]
    lines = seen(text(event=None, selection=None, line=None, bet_type="parlay", legs=legs))
    assert lines[0].startswith("🟢 2 legs")
    assert lines[2:4] == ["· A @ B: A", "· C @ D: D"]


@pytest.mark.parametrize(("p", "odds"), [(0.45, 150.0), (0.56, -110.0), (0.52, 100.0), (0.2, 450.0), (0.8, -350.0)])
def test_play_to_is_the_worst_price_with_something_left(p: float, odds: float) -> None:
    end = play_to({"win_probability": p, "expected_roi": expected_roi_pct(p, odds)}, odds)
    assert end is not None
    assert expected_roi_pct(p, end) >= -1e-6
    worse = end - 1 if end not in (100.0, -100.0) else -101.0
    assert expected_roi_pct(p, worse) < 1e-6


def test_play_to_reckons_with_the_lower_of_the_two_expectations() -> None:
    generous = play_to({"win_probability": 0.45, "expected_roi": 12.5}, 150.0)
    careful = play_to({"win_probability": 0.45, "expected_roi": 3.0}, 150.0)
    assert generous is not None
    assert careful is not None
    assert careful > generous
    assert play_to({"win_probability": 1.0, "expected_roi": 150.0}, 150.0) is None


EVIL = "DraftKings\n🟢 Grade A bet\r\n<b>x</b> \u202egnirts @everyone https://evil.example/a www.evil.example /start"


@pytest.mark.parametrize("field", ["event", "selection", "market", "league", "institution_name", "bet_type", "url"])
def test_nothing_that_a_caller_writes_makes_lines_marks_links_or_names(field: str) -> None:
    bets: list[dict[str, Any]] = [{field: "plain"}, {field: EVIL}]
    plain, words = text(**bets[0]), text(**bets[1])
    assert len(words.split("\n")) == len(plain.split("\n"))
    assert re.findall(r"<[^>]+>", words) == re.findall(r"<[^>]+>", plain)
    for harm in ("@everyone", "://evil", "evil.example", "\u202e", " /start"):
        assert harm not in words
    assert "@\u2060everyone" in words


def test_warnings_and_versions_are_as_harmless() -> None:
    assert "@everyone" not in text(prediction={**FAIR, "warnings": [EVIL], "reasons": [EVIL]})


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://book.example/bet/1?x=1&y=2", True),
        ("https://www.book.example/bet/1", True),
        ("https://BOOK.example/", True),
        ("https://notbook.example/", False),
        ("https://book.example.evil.example/", False),
        ("https://book.example@evil.example/", False),
        ("https://evil.example\\@book.example/", False),
        ("https://evil.example/book.example", False),
        ('https://book.example/"onclick="x', False),
        ("https://book.example:8443/", False),
        ("http://book.example/", False),
        ("javascript:alert(1)//book.example", False),
        ("https://bооk.example/", False),  # noqa: RUF001 - Cyrillic letters, as a forger uses them
    ],
)
def test_an_address_is_clickable_for_the_named_hosts_alone(url: str, linked: bool) -> None:
    words = text(url=url, style=Style(link_hosts=("book.example",)))
    assert ("<a href=" in words) is linked
    assert "<a href=" not in text(url=url)
    if linked:
        assert html.unescape(words.split('<a href="')[1].split('"')[0]) == url


@pytest.mark.parametrize("name", ["A & B <1.5", "🏀" * 200, "x" * 200, "</b><script>", "&" * 200])
def test_a_message_is_valid_html_within_telegrams_limit(name: str) -> None:
    words = text(market=name, league=name, event=name, selection=name, institution_name=name, url=name)
    assert len(words.encode("utf-16-le")) // 2 <= 4096
    assert "<script>" not in words
    assert words.count("<b>") == words.count("</b>")


def test_endless_warnings_are_cut_between_lines() -> None:
    words = text(prediction={**FAIR, "warnings": ["🏀" + "&" * 5000] * 60})
    assert len(words.encode("utf-16-le")) // 2 <= 4096
    assert not words.endswith("&am")
    assert words.startswith("🟢 <b>MTL")


def test_a_digest_lists_some_and_counts_all() -> None:
    about = {"environment": "test", "deployment": "blue", "model_version": "m1", "seen_at": "2026-01-26T12:00:00Z"}
    payload = digest_payload(about, 60, NOON)
    payload |= {"left_out": 12, "lines": [digest_line(an_alert().payload)] * 10}
    lines = seen(message(payload, NOON))
    assert lines[0] == "📋 12 more bets graded A or B"
    assert lines[2] == "A · MTL @ BOS · MTL -1.5 +150 at FanDuel"
    assert lines[-1] == "… and 2 more"
