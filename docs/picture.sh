#!/usr/bin/env bash
# Makes docs/picture.svg, the picture of the README, from the report of the first run's classifier:
#   docs/picture.sh [COMMAND [CLASSIFIER]]
# COMMAND is `lincah` unless given. CLASSIFIER is a folder that `lincah quickstart` wrote; without it that training is run (minutes).
set -euo pipefail
cd "$(dirname "$0")/.."
lincah=$(command -v "${1:-lincah}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

classifier=${2:-$work/quickstart}
[ -e "$classifier" ] || "$lincah" quickstart --out "$classifier"
"$lincah" report "$classifier" samples/comments.csv --text comment --label label --holdout 96 --without-texts \
  --out "$work/report.html" --plots "$work/plots"

# Two of its plots side by side, each an SVG of its own inside the picture.
python3 - "$work/plots/confusion-matrix.svg" "$work/plots/roc.svg" > docs/picture.svg <<'PYTHON'
import re
import sys

plots = [open(path, encoding="utf-8").read().strip() for path in sys.argv[1:]]
sizes = [tuple(float(re.search(rf'<svg[^>]*\b{side}="([\d.]+)"', plot).group(1)) for side in ("width", "height")) for plot in plots]
gap, height = 24, max(size[1] for size in sizes)
width = sum(size[0] for size in sizes) + gap * (len(plots) + 1)
print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height + 2 * gap:g}" width="{width:g}" height="{height + 2 * gap:g}">')
print(f'<rect width="{width:g}" height="{height + 2 * gap:g}" fill="#ffffff"/>')
x = gap
for plot, size in zip(plots, sizes):
    y = gap + (height - size[1]) / 2
    print(plot.replace("<svg ", f'<svg x="{x:g}" y="{y:g}" ', 1))
    x += size[0] + gap
print("</svg>")
PYTHON
echo "written: docs/picture.svg"
