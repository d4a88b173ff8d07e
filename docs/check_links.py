#!/usr/bin/env python3
"""Checks every relative link and anchor in the project's Markdown files, and that docs/SUMMARY.md lists every page of docs/.

Prints one line per broken link, as FILE:LINE, and exits with 1 if there is any. Links to other hosts are not asked.
Anchors are those of GitHub and of mdBook: the heading in small letters, spaces as hyphens, without punctuation.
"""

import re
import sys
import unicodedata
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
SKIPPED_FOLDERS = {".git", "target", "node_modules", ".venv"}

FENCE = re.compile(r"^\s{0,3}(`{3,}|~{3,})")
HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
CODE = re.compile(r"(`+)(.+?)\1")
# [text](target "title"), also ![image](target); the text may hold one level of brackets.
INLINE = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(\s*<?([^\s<>()]*(?:\([^\s()]*\)[^\s<>()]*)*)>?(?:\s+[\"'(][^)]*)?\s*\)")
REFERENCE = re.compile(r"^ {0,3}\[([^\]]+)\]:\s*<?(\S+?)>?(?:\s|$)")
REFERENCED = re.compile(r"\[[^\[\]]+\]\[([^\[\]]+)\]")
HTML = re.compile(r"<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)\s*=\s*[\"']([^\"']+)[\"']", re.IGNORECASE)
HTML_ID = re.compile(r"<[a-z][^>]*?\b(?:id|name)\s*=\s*[\"']([^\"']+)[\"']", re.IGNORECASE)
SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)


def markdown_files():
    """All Markdown files of the project, in a fixed order."""
    for path in sorted(ROOT.rglob("*.md")):
        if not SKIPPED_FOLDERS.intersection(path.relative_to(ROOT).parts):
            yield path


def prose_lines(text):
    """The lines outside fenced code, each with its number from 1."""
    fence = None
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.match(line)
        if mark and fence is None:
            fence = mark.group(1)
        elif mark and mark.group(1).startswith(fence) and not line.strip(" `~"):
            fence = None
        elif fence is None:
            yield number, line


def slug(heading):
    """The anchor of a heading."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    text = re.sub(r"[*`]|<[^>]+>", "", text).strip().lower()
    kept = (c for c in text if c in " -_" or unicodedata.category(c)[0] in "LNM")
    return "".join(kept).replace(" ", "-")


def anchors(path, known={}):
    """All anchors of a Markdown file."""
    if path not in known:
        found, times = set(), {}
        for _, line in prose_lines(path.read_text(encoding="utf-8")):
            found.update(HTML_ID.findall(line))
            if heading := HEADING.match(line):
                base = slug(heading.group(2))
                count = times.get(base, 0)
                times[base] = count + 1
                found.add(base if count == 0 else f"{base}-{count}")
        known[path] = found
    return known[path]


def links(path):
    """The targets of a file's links, each with its line."""
    text = path.read_text(encoding="utf-8")
    lines = list(prose_lines(text))
    defined = {match.group(1).lower() for _, line in lines if (match := REFERENCE.match(line))}
    for number, line in lines:
        if match := REFERENCE.match(line):
            yield number, match.group(2)
            continue
        line = CODE.sub(lambda code: " " * len(code.group(0)), line)
        for target in INLINE.findall(line) + HTML.findall(line):
            yield number, target
        for name in REFERENCED.findall(line):
            if name.lower() not in defined:
                yield number, f"[{name}]"


def wrong(path, target):
    """Why a link leads nowhere; nothing if it leads somewhere."""
    if SCHEME.match(target):
        return None
    if target.startswith("["):
        return "no such reference"
    if not target:
        return "the link is empty"
    if target.startswith("/"):
        return "the link is absolute; make it relative"
    file, _, anchor = target.partition("#")
    found = path if not file else (path.parent / unquote(file))
    if not found.exists():
        return "no such file"
    found = found.resolve()
    if ROOT not in found.parents and found != ROOT:
        return "the file is outside the project"
    if not anchor:
        return None
    if found.suffix.lower() != ".md":
        return "only Markdown files have anchors"
    return None if unquote(anchor) in anchors(found) else f"{found.relative_to(ROOT)} has no heading #{anchor}"


def missing_from_summary():
    """Pages of docs/ that the book does not list."""
    summary = DOCS / "SUMMARY.md"
    listed = {(DOCS / unquote(target.partition("#")[0])).resolve() for _, target in links(summary) if not SCHEME.match(target)}
    return [page for page in markdown_files() if DOCS in page.parents and page != summary and page not in listed]


def main():
    checked, broken = 0, []
    for path in markdown_files():
        for number, target in links(path):
            checked += 1
            if reason := wrong(path, target):
                broken.append(f"{path.relative_to(ROOT)}:{number}: {target}: {reason}")
    broken += [f"docs/SUMMARY.md: {page.relative_to(DOCS)} is not listed" for page in missing_from_summary()]
    print("\n".join(broken) if broken else f"{checked} links checked, none is broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
