#!/bin/sh
# Stands in for `python3 -m pip download … --dest FOLDER PACKAGE==VERSION`: gives the wheels that lie beside it, or fails as told.
here=$(dirname "$0")
while [ $# -gt 1 ]; do
    [ "$1" = --dest ] && folder=$2
    shift
done
echo "$1" >>"$here/asked"
if [ -f "$here/error" ]; then
    cat "$here/error" >&2
    exit 1
fi
echo scratch >"$TMPDIR/scratch"
name=$(echo "${1%%==*}" | tr - _)
cp "$here/$name-${1##*==}-py3-none-any.whl" "$folder/"
