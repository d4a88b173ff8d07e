#!/usr/bin/env bash
# Makes crates/lincah-cli/src/fonts/dejavu-sans.ttf, the font of the PNG plots: DejaVu Sans 2.37 without what plots don't need.
# Needs fonttools (pip) and DejaVuSans.ttf (Debian: fonts-dejavu-core). Usage: tools/report/font.sh DejaVuSans.ttf
set -euo pipefail
cd "$(dirname "$0")/../.."
ranges=U+0020-007E,U+00A0-017F,U+0370-03FF,U+0400-045F,U+2010-2015,U+2018-201E,U+2020-2022,U+2026,U+20AC,U+2190-2193,U+2212,U+2264,U+2265,U+FFFD
pyftsubset "$1" --unicodes="$ranges" --no-hinting --layout-features=kern --output-file=crates/lincah-cli/src/fonts/dejavu-sans.ttf
