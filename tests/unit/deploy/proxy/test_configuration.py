"""The configuration as text."""

from pathlib import Path

import pytest

from deploy.proxy.configuration import Binary, render
from deploy.settings import DeploySettings

PREFIX = Path("/srv/run/nginx")


def text(version: tuple[int, ...] = (1, 31, 3), **settings: object) -> str:
    return render(DeploySettings.model_validate(settings), PREFIX, Binary(version))[0]


def test_the_digest_tells_one_structure_from_another_and_is_in_the_text() -> None:
    one, digest = render(DeploySettings(), PREFIX, Binary((1, 31, 3)))
    _, other = render(DeploySettings(rate_limit=1), PREFIX, Binary((1, 31, 3)))
    assert digest in one
    assert digest != other


def test_hsts_and_tls_come_together() -> None:
    assert "Strict-Transport-Security" not in text()
    secure, _ = render(DeploySettings(), PREFIX, Binary((1, 31, 3)), certificate=(Path("/c.pem"), Path("/k.pem")))
    assert "Strict-Transport-Security" in secure
    assert 'ssl_certificate "/c.pem";' in secure
    with pytest.raises(ValueError, match="belong together"):
        DeploySettings.model_validate({"tls_certificate": "/c.pem"})


def test_limits_of_zero_are_off() -> None:
    assert "limit_req zone" in text()
    off = text(rate_limit=0, connection_limit=0)
    assert "limit_req" not in off
    assert "limit_conn" not in off


def test_an_old_nginx_is_not_given_what_it_does_not_know() -> None:
    assert "keepalive_min_timeout" not in text((1, 22, 1))
    assert "keepalive_min_timeout" in text((1, 27, 4))


def test_each_slot_is_reached_at_its_own_port_and_has_a_stand_in() -> None:
    config = text(base_port=7000)
    for port, groups in ((7001, 4), (7002, 4), (7003, 3)):  # its own group, its pairs, and the pairs it stands in for
        assert config.count(f"server 127.0.0.1:{port} ") == groups
    assert r'"~127\.0\.0\.1:7002$" green;' in config
    assert "proxy_next_upstream_tries 2;" in config


def test_the_split_lists_the_canary_first_and_ends_with_the_rest() -> None:
    config = text()
    for share in range(1, 100):
        assert f'split_clients "$salt:$client_key" $split_{share} {{ {share}% canary; * main; }}' in config


def test_a_path_may_hold_spaces_quotes_semicolons_and_letters_of_any_script() -> None:
    prefix = Path('/srv/Änn\'s "run";{x}\\y/nginx')
    config, _ = render(DeploySettings(), prefix, Binary((1, 31, 3)))
    assert 'root "/srv/Änn\'s \\"run\\";{x}\\\\y/nginx/live";' in config
    with pytest.raises(ValueError, match="Nginx can't be told a"):
        DeploySettings.model_validate({"run_dir": "/srv/$home"})


@pytest.mark.parametrize(
    ("settings", "open_to"),
    [
        ({}, "default 0;"),
        ({"environment": "production"}, "default 0;"),
        ({"environment": "development"}, "default 1;"),
        ({"environment": "production", "override_key": "k" * 16}, f'"{"k" * 16}" 1;'),
        ({"override_key": "k" * 16}, f'"{"k" * 16}" 1;'),
    ],
)
def test_choosing_a_slot_is_closed_in_production_without_a_key(settings: dict[str, object], open_to: str) -> None:
    after = text((1, 31, 3), **settings).partition("$may_choose {")[2].partition("}")[0]
    assert open_to in after
    assert ("default 1;" in after) == (settings == {"environment": "development"})


def test_whose_word_on_the_clients_address_is_taken_is_a_setting() -> None:
    assert "set_real_ip_from" not in text()
    assert "set_real_ip_from 10.0.0.0/8;" in text(trusted_proxies="10.0.0.0/8, 192.0.2.1")
    with pytest.raises(ValueError, match="does not appear to be"):
        DeploySettings.model_validate({"trusted_proxies": "everybody"})
