"""docs/settings.md tells the truth: every setting, its default and its meaning."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_made_from_the_settings():
    made = runpy.run_path(str(ROOT / "scripts" / "lib" / "settings_doc.py"))
    assert (ROOT / "docs" / "settings.md").read_text() == made["page"](), (
        "run scripts/lib/settings_doc.py"
    )
