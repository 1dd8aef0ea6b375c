"""A burst of many times the capacity: what is too much is turned away, and the next calm request is served."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.server import Server

pytestmark = pytest.mark.system

BET = {"sport": "Basketball", "league": "NBA", "market": "Moneyline", "institution_name": "DraftKings", "odds": -110}
CAPACITY = 8


async def _burst(url: str) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, limits=limits) as http:
        posts = [http.post("/api/v1/batch-predict", json={"bets": [BET] * 100}) for _ in range(10 * CAPACITY)]
        return list(await asyncio.gather(*posts))


def test_after_ten_times_the_capacity_the_next_calm_request_is_served(tmp_path: Path) -> None:
    with Server(tmp_path, MAX_CONCURRENCY=CAPACITY, ACCESS_LOG=0) as server:
        seen: Counter[int] = Counter()
        for _ in range(5):
            answers = asyncio.run(_burst(server.url))
            seen.update(answer.status_code for answer in answers)
            for answer in answers:
                if answer.status_code == 503:
                    error: dict[str, Any] = answer.json()["error"]
                    assert (error["code"], error["retryable"]) == ("overloaded", True)
                    assert answer.headers["retry-after"] == "1"
            for _ in range(3):
                calm = httpx.post(f"{server.url}/api/v1/batch-predict", json={"bets": [BET] * 100})
                assert calm.status_code == 200
        assert set(seen) == {200, 503}
        assert httpx.get(f"{server.url}/ready").status_code == 200
