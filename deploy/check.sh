#!/usr/bin/env bash
# Does what deploy/Dockerfile does in a folder that a user without rights is locked into, where there is no Docker: the binary, its libraries, the
# models and a classifier; then asks it. Needs root.
#
# Usage: deploy/check.sh LINCAH CLASSIFIER MODELS   (MODELS: LINCAH_HOME of this machine)
set -euo pipefail
lincah=$1 classifier=$2 models=$3
root=$(mktemp -d)
chmod 755 "$root"
trap 'kill "${server:-}" 2> /dev/null || true; rm -rf "$root"' EXIT
mkdir -p "$root"/{usr/local/bin,classifiers,etc/lincah,tmp}
cp "$lincah" "$root/usr/local/bin/lincah"
ldd "$lincah" | grep -o '/[^ ]*' | while read -r library; do install -D "$library" "$root$library"; done
cp -r "$classifier" "$root/classifiers/classifier"
cp -r "$models" "$root/models"
echo "ana:0123456789abcdef" > "$root/etc/lincah/keys"
locked=(chroot --userspec=65532:65532 "$root" /usr/bin/env -i LINCAH_HOME=/models LINCAH_BIND=127.0.0.1:18080
  LINCAH_KEY_FILE=/etc/lincah/keys LINCAH_LOG=json /usr/local/bin/lincah)
install -D "$(command -v env)" "$root/usr/bin/env"
ldd "$(command -v env)" | grep -o '/[^ ]*' | while read -r library; do install -D "$library" "$root$library"; done
"${locked[@]}" serve /classifiers/classifier --check
"${locked[@]}" serve /classifiers/classifier &
server=$!
for _ in $(seq 100); do curl --silent --fail http://127.0.0.1:18080/health > /dev/null && break; sleep 0.2; done
curl --silent --fail http://127.0.0.1:18080/health
test "$(curl --silent --output /dev/null --write-out '%{http_code}' http://127.0.0.1:18080/v1/score --data '{"input": "Thanks."}')" = 401
curl --silent --fail --header "Authorization: Bearer 0123456789abcdef" http://127.0.0.1:18080/v1/score --data '{"input": "Thanks."}'
