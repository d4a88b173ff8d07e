"""Checks the dependencies against deny.toml: licences, banned crates, sources. Exits with 1 and a line for each that is not allowed.

Usage: python tools/deny.py      (in the repository; needs Python 3.11 and cargo)
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

REGISTRY = "registry+"


def is_allowed(expression: str, allowed: set[str]) -> bool:
    """Whether an SPDX expression (its licences joined by AND, OR and brackets) can be met with allowed licences."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    place = 0

    def parse_any() -> bool:
        nonlocal place
        met = parse_all()
        while place < len(tokens) and tokens[place] == "OR":
            place += 1
            met = parse_all() or met
        return met

    def parse_all() -> bool:
        nonlocal place
        met = parse_one()
        while place < len(tokens) and tokens[place] == "AND":
            place += 1
            met = parse_one() and met
        return met

    def parse_one() -> bool:
        nonlocal place
        token = tokens[place]
        place += 1
        if token == "(":
            met = parse_any()
            place += 1
            return met
        if place < len(tokens) and tokens[place] == "WITH":
            token, place = f"{token} WITH {tokens[place + 1]}", place + 2
        return token in allowed

    return parse_any()


def main() -> None:
    root = Path(__file__).parent.parent
    rules = tomllib.loads((root / "deny.toml").read_text(encoding="utf-8"))
    told = subprocess.run(["cargo", "metadata", "--format-version", "1", "--locked"], cwd=root, check=True, capture_output=True).stdout
    packages = [package for package in json.loads(told)["packages"] if package["source"]]
    allowed, banned = set(rules["licenses"]["allow"]), {entry["name"] for entry in rules["bans"]["deny"]}
    faults = []
    for package in packages:
        name = f"{package['name']} {package['version']}"
        if not is_allowed(package["license"] or "none", allowed):
            faults.append(f"{name}: licence {package['license']} is not allowed")
        if package["name"] in banned:
            faults.append(f"{name}: is banned")
        if not package["source"].startswith(REGISTRY):
            faults.append(f"{name}: comes from {package['source']}, not from a registry")
    assert len(packages) > 100, "the dependencies were not found"
    assert not is_allowed("GPL-3.0-only AND MIT", allowed) and is_allowed("GPL-3.0-only OR (MIT AND Zlib)", allowed)
    print("\n".join(faults) or f"{len(packages)} dependencies: licences, bans and sources are as deny.toml says")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
