"""The template of a venue, used as docs/venues.md says: copied, renamed, run as a package of its own."""

import os
import subprocess
import sys
from pathlib import Path

TEMPLATE = Path(__file__).parents[2] / "templates" / "venue"

ENTRY_POINTS = "[markethub.venues]\nACM = markethub_acme:create_venue\n"
METADATA = "Metadata-Version: 2.1\nName: markethub-acme\nVersion: 0.1.0\n"


def instantiate(folder: Path) -> None:
    """Copy the template as ``acme`` with the code ``ACM``, and lay beside it what an installer would."""
    for source in TEMPLATE.rglob("*"):
        if source.suffix in (".py", ".toml") and "__pycache__" not in source.parts:
            target = folder / rename(str(source.relative_to(TEMPLATE)))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(rename(source.read_text()))
    info = folder / "src" / "markethub_acme-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(ENTRY_POINTS)


def rename(text: str) -> str:
    return text.replace("XMP", "ACM").replace("xmp", "acme").replace("Xmp", "Acme")


def test_a_copy_of_the_template_is_a_venue(tmp_path: Path) -> None:
    instantiate(tmp_path)
    assert 'ACM = "markethub_acme:create_venue"' in (tmp_path / "pyproject.toml").read_text()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "tests"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "18 passed" in done.stdout, done.stdout
