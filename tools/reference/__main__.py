"""Write docs/reference; ends with 1 and the list of gaps if something lacks its text."""

import sys

from tools.reference import FOLDER, build_reference


def main() -> int:
    reference = build_reference()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in reference.pages.items():
        page = FOLDER / name
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {page.relative_to(FOLDER.parents[1])}\n")
    for gap in reference.gaps:
        sys.stderr.write(f"without a text: {gap}\n")
    return 1 if reference.gaps else 0


sys.exit(main())
