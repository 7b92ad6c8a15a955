"""The documents tell the truth about where things are and what they are called."""

import re
from pathlib import Path

import pytest

from consumers.observability.metrics import TABLE
from consumers.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    named = set(re.findall(r"`((?:[a-z_.]+/)+[\w.*-]*)`", document.read_text()))
    gone = sorted(name for name in named if not (ROOT / name).exists())
    assert not gone


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    table = (ROOT / "docs/operations.md").read_text().split("## Settings")[1]
    documented = set(re.findall(r"`([A-Z][A-Z_]+)`", "\n".join(line for line in table.splitlines() if "|" in line)))
    settings = {name.upper() for name in Settings.model_fields}
    assert documented == settings | {"GEMINI_API_KEY"}


def test_every_metric_is_documented() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    assert [name for name in TABLE if name not in text] == []


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(
        re.findall(r"make ([a-z]+(?: [a-z]+)*)", " ".join(re.findall(r"`[^`]+`", (ROOT / "README.md").read_text())))
    )
    assert {target for group in named for target in group.split()} <= targets


def test_no_file_of_the_project_names_a_package_index_or_a_path_of_a_machine() -> None:
    forbidden = re.compile(r"pypi\.org|pythonhosted|--index-url|--find-links|maven\.org|/home/|/root/|/work/")
    for path in [*ROOT.glob("*.*"), *ROOT.glob("docs/**/*"), *ROOT.glob("[a-z]*/**/*.py")]:
        if path.is_file() and path != Path(__file__):
            assert not forbidden.search(path.read_text()), path
