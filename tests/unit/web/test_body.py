import json
import time
from typing import Any

import pytest

from pikkit.errors import InvalidBet, InvalidRequest
from pikkit.web.request import read_batch_body, read_bet_body, read_json

GOOD = {"sport": "Tennis", "odds": -110}
# Text of one bet that can't be decoded, or not be meant: it costs only itself.
BAD = {
    "lone surrogate": r'{"sport": "Tennis", "market": "\ud83d"}',
    "second half first": r'{"sport": "\udc00\ud800"}',
    "given twice": '{"odds": -110, "sport": "Tennis", "odds": 150}',
    "given twice inside": '{"sport": "x", "legs": [{"odds": 1, "odds": 2}]}',
    "given twice, blank before the colon": '{"odds" : -110, "odds" : 150}',
    "given twice, one blank before a colon": '{"odds" : -110, "legs": [{"line": 1}], "line": 1, "line": 2}',
    "given twice beside a quote that is escaped": r'{"odds": -110, "odds": 150, "legs": [{"market": "a\u0022: b"}]}',
    "given twice beside a number of many digits": '{"odds": -110, "odds": 150, "legs": [{"line": %s}]}' % (9 * 10**30),
    "given twice, escaped": r'{"odds": -110, "\u006fdds": 150}',
    "4,301 digits": '{"odds": ' + "9" * 4301 + "}",
    "5,000 digits": '{"odds": -' + "9" * 5000 + "}",
    "deep nesting": '{"legs": ' + "[" * 5000 + "]" * 5000 + "}",
    "deep objects": '{"a":' * 300 + "1" + "}" * 300,
    "no JSON": "{sport: Tennis}",
    "a word": "undefined",
    "single quotes": "{'sport': 1}",
    "control character": '{"sport": "a\nb"}',
    "NUL": '{"sport": "a\0"}',
}


def batch(*bets: str, **more: Any) -> bytes:
    rest = "".join(f', "{name}": {json.dumps(value)}' for name, value in more.items())
    return ('{"bets": [' + ", ".join(bets) + "]" + rest + "}").encode()


@pytest.mark.parametrize("name", BAD)
def test_one_undecodable_bet_among_a_hundred_costs_only_itself(name: str) -> None:
    bets = [json.dumps({**GOOD, "client_ref": index}) for index in range(100)]
    bets[41] = BAD[name]
    data, errors = read_batch_body(batch(*bets, explain=True))
    assert list(errors) == [41]
    assert isinstance(errors[41], InvalidBet)
    assert [bet["client_ref"] for index, bet in enumerate(data["bets"]) if index != 41] == [*range(41), *range(42, 100)]
    assert data["explain"] is True
    assert len(data["bets"][41]) <= 200
    json.dumps(data)


def test_bytes_that_are_no_utf_8_in_one_bet_cost_only_it() -> None:
    data, errors = read_batch_body(b'{"bets": [{"sport": "\xff"}, {"sport": "x"}]}')
    assert list(errors) == [0]
    assert data["bets"][1] == {"sport": "x"}


@pytest.mark.parametrize("name", BAD)
def test_alone_it_is_an_error_that_says_where_or_what(name: str) -> None:
    with pytest.raises((InvalidBet, InvalidRequest)) as refused:
        read_bet_body(BAD[name].encode())
    assert " at line " in refused.value.message or "twice" in refused.value.message


def test_the_name_that_is_given_twice_is_named() -> None:
    with pytest.raises(InvalidBet) as refused:
        read_bet_body(BAD["given twice"].encode())
    assert (refused.value.field, "odds" in refused.value.message) == ("odds", True)


@pytest.mark.parametrize(
    "text",
    [
        '{"starts_at": "2026-01-31T19:30:00Z", "url": "https://a.b/c?d={e}:f"}',
        r'{"note": "say \":\" twice", "a": ":"}',
        '{"legs": [{"odds": 1}, {"odds": 2}], "odds" : 3}',
        '{"a": {"a": {"a": 1}}}',
        "{}",
        "[1, 2]",
        '"text"',
        "null",
    ],
)
def test_what_only_looks_repeated_is_read(text: str) -> None:
    assert read_bet_body(text.encode()) == json.loads(text)
    assert read_batch_body(batch(text, text)) == ({"bets": [json.loads(text)] * 2}, {})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"bets": [',
        b'{"bets": [{]}',
        b'{"bets": [{"sport": "\\ud83d"}, ]}',
        b'{"bets": [{"sport": "\\ud83d"}], "note": "\\ud83d"}',
        b'{"bets": [{"sport": "\\ud83d"}]} and more',
        b'{"note": ["bets", "\\ud83d"]}',
        b'[{"bets": ["\\ud83d"]}]',
        b"[" * 1_000_000,
    ],
)
def test_a_body_whose_bets_can_not_be_told_apart_is_refused_as_a_whole(body: bytes) -> None:
    begin = time.thread_time()
    with pytest.raises(InvalidRequest):
        read_batch_body(body)
    assert time.thread_time() - begin < 2  # 0.05 s


@pytest.mark.parametrize("other", ['"x"', "5", "[1]", "null", '"{"', '5, "{{"', '{"a": {"b": 1}}'])
def test_a_name_given_twice_is_found_whatever_else_is_in_the_batch(other: str) -> None:
    _, errors = read_batch_body(batch('{"odds": -110, "odds": 150}', other))
    assert list(errors) == [0]


def test_bets_given_twice_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        read_batch_body(b'{"bets": [{"a": 1}], "bets": [{"a": 2}]}')


@pytest.mark.parametrize(
    ("body", "word"),
    [(b"\xef\xbb\xbf{}", "byte order mark"), (b"\x1f\x8b\x08\x00", "compressed"), ("{}".encode("utf-16"), "UTF-8")],
)
def test_what_a_body_begins_with_is_named(body: bytes, word: str) -> None:
    with pytest.raises(InvalidRequest, match=word):
        read_json(body)
