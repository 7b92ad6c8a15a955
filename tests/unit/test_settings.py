"""A wrong setting stops the start with one line that names it, and never shows its value."""

import pytest

from consumers.settings import Settings, SettingsError, load_settings

SERVICES = ["CONTENT_SERVICE", "SKILLS_ENGINE"]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BASE_URL", "localhost:3002"),
        ("BASE_URL", "ftp://host"),
        ("BASE_URL", "http://"),
        ("SECRET", "two\nlines"),
        ("SECRET", "schlüssel"),
        ("TIMEOUT_SECONDS", "0"),
        ("TIMEOUT_SECONDS", "soon"),
    ],
)
def test_a_service_that_cannot_be_called_so_is_named(
    monkeypatch: pytest.MonkeyPatch, service: str, name: str, value: str
) -> None:
    monkeypatch.setenv(f"{service}_{name}", value)

    with pytest.raises(SettingsError) as wrong:
        load_settings()

    message = str(wrong.value)
    assert message.startswith(f"{service}_{name}: ")
    assert "\n" not in message
    if name == "SECRET":
        assert value not in message


def test_a_services_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().skills_engine_base_url == "http://localhost:3002"
    assert Settings().skills_engine_secret is None

    monkeypatch.setenv("SKILLS_ENGINE_BASE_URL", "https://skills.example/v2")
    monkeypatch.setenv("SKILLS_ENGINE_SECRET", "k3y")
    monkeypatch.setenv("SKILLS_ENGINE_TIMEOUT_SECONDS", "2.5")
    settings = load_settings()

    assert settings.skills_engine_base_url == "https://skills.example/v2"
    assert settings.skills_engine_secret is not None
    assert settings.skills_engine_secret.get_secret_value() == "k3y"
    assert settings.skills_engine_timeout_seconds == 2.5
    assert "k3y" not in repr(settings)
