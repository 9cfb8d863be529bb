#!/bin/sh
# Installs the Debian packages that building and testing need; what is there already is left alone.
#   tools/install_packages.sh [--checks | --arm]     --checks: also clang and its tools (format, tidy, fuzzers);
#                                                    --arm: also a compiler for 64-bit Arm and its emulator
set -eu
packages="g++ cmake ninja-build pkg-config git python3 python3-pip ca-certificates binutils
  libfmt-dev nlohmann-json3-dev libcli11-dev libgtest-dev libpcre2-dev libutf8proc-dev libedit-dev
  libcurl4-openssl-dev zlib1g-dev libzstd-dev libsqlite3-dev npm python3-dev pybind11-dev python3-numpy
  python3-pytest dpkg-dev file"
[ "${1:-}" = --checks ] && packages="$packages clang clang-format clang-tidy libclang-rt-14-dev"
[ "${1:-}" = --arm ] && packages="$packages g++-aarch64-linux-gnu qemu-user googletest"
have() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
missing=""
for p in $packages; do
  # A tool that came by another road than a package serves as well.
  case $p in
    npm | git | cmake | python3) command -v "$p" >/dev/null 2>&1 && continue ;;
    python3-pip) python3 -m pip --version >/dev/null 2>&1 && continue ;;
  esac
  have "$p" || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
sudo=""
[ "$(id -u)" -eq 0 ] || sudo=sudo
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
