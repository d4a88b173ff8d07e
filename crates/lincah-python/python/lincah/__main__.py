"""The command `lincah`."""

import sys

from .lincah_native import run


def main() -> int:
    """Run the command with the arguments of this process; return its exit code."""
    return run(["lincah", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
