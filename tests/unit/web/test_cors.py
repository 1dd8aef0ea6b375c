import pytest
from starlette.datastructures import Headers

from pikkit.web.cors import Cors

EXTENSION = "chrome-extension://" + "a" * 32


def names(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in headers}


def test_an_allowed_origin_is_named_and_nothing_is_cached_across_origins() -> None:
    headers = names(Cors((EXTENSION,)).headers(EXTENSION))
    assert headers["access-control-allow-origin"] == EXTENSION
    assert headers["vary"] == "Origin"
    assert "ETag" in headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["https://evil.example", "chrome-extension://" + "b" * 32, "null", EXTENSION + "/"])
def test_other_origins_get_no_access(origin: str) -> None:
    assert "access-control-allow-origin" not in names(Cors((EXTENSION,)).headers(origin))
    assert Cors((EXTENSION,)).preflight(Headers({"origin": origin}), ["GET"]) == []


def test_any_origin_means_a_star_and_never_credentials() -> None:
    cors = Cors(("*",))
    headers = names(
        cors.headers("https://any.example") + cors.preflight(Headers({"origin": "https://any.example"}), ["GET"])
    )
    assert headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize("network", ["private", "local"])
def test_a_page_that_asks_to_reach_a_private_address_is_answered(network: str) -> None:
    asked = Headers({"origin": EXTENSION, f"access-control-request-{network}-network": "true"})
    assert names(Cors((EXTENSION,)).preflight(asked, ["GET"]))[f"access-control-allow-{network}-network"] == "true"
