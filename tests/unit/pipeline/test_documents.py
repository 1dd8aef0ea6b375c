"""What the documents for whoever carries on name is there."""

import re

import pytest

from tests.support.need import root

DOCUMENTS = sorted(
    str(path.relative_to(root()))
    for pattern in ("*.md", "docs/**/*.md", "monitoring/*.md", "examples/*/*.md", "benchmarks/*.md")
    for path in root().glob(pattern)
)
DECISIONS = sorted((root() / "docs/decisions").glob("*.md"))


def text(name: str) -> str:
    return (root() / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_and_links_of_a_document_lead_somewhere(name: str) -> None:
    content = text(name)
    files = re.findall(r"`((?:pikkit|deploy|tests|training|benchmarks|docs|monitoring)/[\w./-]*\w)`", content)
    assert [file for file in files if not (root() / file).exists()] == []
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", content) if "://" not in link]
    here = (root() / name).parent
    assert [link for link in links if link and not (here / link).exists()] == []


def test_the_four_ways_have_ten_steps_each_and_every_file_of_them_is_of_its_room() -> None:
    ways = re.findall(r"^## The way of an? ([\w ]+)\n((?:\d+\. .*\n)+)", text("docs/ARCHITECTURE.md"), re.MULTILINE)
    assert [name for name, _ in ways] == ["bet", "model set", "release", "alert"]
    for _, steps in ways:
        lines = steps.splitlines()
        assert len(lines) == 10
        assert all(re.match(r"\d+\. `[\w/.]+\.py`", line) for line in lines)


def test_the_layers_of_the_page_are_those_that_the_linter_holds() -> None:
    page = re.findall(r"^`(\w+(?: > [\w, ]+)+)`", text("docs/ARCHITECTURE.md"), re.MULTILINE)[0]
    pikkit = re.findall(r'containers = \["pikkit"\]\nlayers = \[\n(.*?)\n\]', text("pyproject.toml"), re.DOTALL)[0]
    held = [re.findall(r"[a-z]+", line) for line in pikkit.splitlines()][1:]  # the commands' own layer is not drawn
    assert [re.findall(r"[a-z]+", layer) for layer in page.split(" > ")] == held


def test_every_decision_is_in_the_list_with_its_reason_and_its_price() -> None:
    listed = text("docs/decisions/README.md")
    pages = [path for path in DECISIONS if path.name != "README.md"]
    assert len(pages) >= 4
    for path in pages:
        content = path.read_text(encoding="utf-8")
        assert f"({path.name})" in listed
        assert all(f"**{word}.**" in content for word in ("Decided", "Why", "Else", "Price", "Changes it"))


def test_every_folder_of_the_product_is_in_the_tree() -> None:
    tree = text("docs/ARCHITECTURE.md").split("## The layers")[0]
    rooms = {f"pikkit/{path.parent.name}" for path in (root() / "pikkit").glob("*/__init__.py")}
    assert rooms == set(re.findall(r"`(pikkit/\w+)`", tree))
