#!/usr/bin/env bash
# Puts admit where the next step finds it: a release whose digest this action knows, or a build of its own source.
# In: ADMIT, VERSION, SHA256, MIRROR (inputs of action.yml), the variables of the runner. Out: `admit` in GITHUB_OUTPUT.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)

fail() {
  echo "::error title=admit::$1"
  exit 2
}

found() {
  echo "admit=$1" >>"$GITHUB_OUTPUT"
  exit 0
}

from_source() {
  command -v cargo >/dev/null || fail 'building from source takes cargo; set version to a release, or admit to a program'
  echo "building admit from source: a few minutes"
  cargo install --quiet --locked --path "$here/../.." --root "$RUNNER_TEMP/admit"
  found "$RUNNER_TEMP/admit/bin/admit"
}

[ -z "$ADMIT" ] || found "$ADMIT"
case $VERSION in
  source) from_source ;;
  system) found "$(command -v admit || fail 'version is system, but no admit is on the PATH')" ;;
esac

case $RUNNER_OS-$RUNNER_ARCH in
  Linux-X64) target=x86_64-unknown-linux-musl ;;
  Linux-ARM64) target=aarch64-unknown-linux-musl ;;
  macOS-X64) target=x86_64-apple-darwin ;;
  macOS-ARM64) target=aarch64-apple-darwin ;;
  Windows-X64) target=x86_64-pc-windows-msvc ;;
  *) target=none ;;
esac

# The newest release that is known, unless one is named.
known=$(grep -E "  admit-v[0-9][0-9A-Za-z.+-]*-$target\.tar\.gz\$" "$here/SHA256SUMS" || true)
if [ -n "$VERSION" ]; then
  known=$(grep -F "  admit-v${VERSION#v}-$target.tar.gz" <<<"$known" || true)
fi
digest=${SHA256:-$(tail -n 1 <<<"$known" | cut -d' ' -f1)}
if [ -n "$VERSION" ]; then
  archive=admit-v${VERSION#v}-$target.tar.gz
  [ -n "$digest" ] || fail "this action knows no digest of $archive: set sha256, or use an action that is as new"
else
  archive=$(tail -n 1 <<<"$known" | cut -d' ' -f3)
  [ -n "$archive" ] || from_source
fi
[[ $digest =~ ^[0-9a-f]{64}$ ]] || fail 'sha256 is no digest of 64 hexadecimal digits'

directory=$RUNNER_TEMP/admit-release
mkdir -p "$directory"
tag=${archive#admit-} tag=${tag%-"$target".tar.gz}
curl --fail --silent --show-error --location --retry 3 --output "$directory/$archive" "$MIRROR/$tag/$archive" ||
  fail "$archive could not be downloaded from $MIRROR"
if command -v sha256sum >/dev/null; then sum=$(sha256sum <"$directory/$archive"); else sum=$(shasum -a 256 <"$directory/$archive"); fi
[ "${sum%% *}" = "$digest" ] || fail "$archive is not what it should be: its digest is ${sum%% *}, not $digest"
tar -xzf "$directory/$archive" -C "$directory"
program=$directory/admit
[ "$RUNNER_OS" != Windows ] || program=$program.exe
[ -x "$program" ] || fail "$archive holds no admit"
found "$program"
