#!/usr/bin/env bash
# Makes sure that everything the build needs is here: Rust, a C++ compiler and libclang (RocksDB),
# make. Installs only what is missing, says so first, and does nothing on a machine that is ready.
#
# Usage: deploy/install-build-deps.sh [--plan]     --plan only prints what would be installed
set -euo pipefail

plan_only=false
case "${1:-}" in
  "") ;;
  --plan) plan_only=true ;;
  *) echo "usage: $0 [--plan]" >&2; exit 2 ;;
esac

if ! command -v cargo >/dev/null; then
  echo "quorate: cargo was not found; install Rust 1.95 or newer (https://rustup.rs), open a new shell and run this again." >&2
  exit 1
fi

# bindgen needs the library and clang's own headers; Debian ships both with libclang-dev.
have_libclang() {
  [ -n "${LIBCLANG_PATH:-}" ] && return 0
  if command -v dpkg-query >/dev/null; then
    [ "$(dpkg-query -W -f='${db:Status-Status}' libclang-dev 2>/dev/null)" = installed ] && return 0
  fi
  command -v llvm-config >/dev/null || return 1
  local libraries
  libraries=$(llvm-config --libdir)
  # Not libclang-cpp.so, which LLVM's own packages bring and bindgen cannot use.
  compgen -G "$libraries/libclang.so*" >/dev/null || compgen -G "$libraries/libclang-[0-9]*.so*" >/dev/null
}

missing=()
command -v c++ >/dev/null || missing+=(g++)
command -v make >/dev/null || missing+=(make)
have_libclang || missing+=(libclang-dev)

if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "quorate: this system has no apt-get; install a C++ compiler, make and libclang with its headers, then run this again." >&2
    exit 1
  fi
  echo "quorate: the build needs these Debian packages and will install them: ${missing[*]}"
  if ! $plan_only; then
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
      if ! command -v sudo >/dev/null; then
        echo "quorate: run this as root: apt-get install ${missing[*]}" >&2
        exit 1
      fi
      as_root=(sudo)
    fi
    export DEBIAN_FRONTEND=noninteractive
    "${as_root[@]}" apt-get update -qq </dev/null
    "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
  fi
fi

target="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/quorate/target}"
if ! compgen -G "$target/release/build/librocksdb-sys-*/out/librocksdb.a" >/dev/null; then
  echo "quorate: the first build compiles RocksDB: about 15 minutes on two cores. Later builds reuse it from $target."
fi
