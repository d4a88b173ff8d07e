"""The scores that lincah gives, without lincah: python score.py "a text" "another text"."""

import bisect
import json
import math
import re
import sys
from pathlib import Path

here = Path(__file__).parent
ask = json.loads((here / "prompt.json").read_text(encoding="utf-8"))


