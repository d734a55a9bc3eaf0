#!/usr/bin/env bash
# Every decoder under coverage guidance, FUZZ_TIME seconds each (20). `make fuzz` runs this.
#
# FUZZ_ONLY=name takes one. Works with stable Rust: libFuzzer is compiled by the crate libfuzzer-sys, the counters
# are put in by LLVM. Memory and address errors are not looked for: the code under test is safe Rust.
# What crashes is kept in tests/fuzz/regressions, where `make test` reads it from then on.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${FUZZ_TIME:-20}
target=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/quorate/target}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')

counters="-Cpasses=sancov-module"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
  counters+=" -Cllvm-args=-sanitizer-coverage-$option"
done
export RUSTFLAGS="$counters"
# The node is linked with RocksDB, which no decoder calls: what another build has compiled of it is taken as it is.
rocksdb=$(find "${target%/fuzz}/release/build" -path '*/librocksdb-sys-*/out/librocksdb.a' -print -quit 2>/dev/null || true)
if [[ -n $rocksdb ]]; then
  export ROCKSDB_LIB_DIR=${rocksdb%/*} ROCKSDB_STATIC=1
fi
cargo build --locked --release --manifest-path libfuzzer/Cargo.toml --target "$host" --target-dir "$target"
bin=$target/$host/release

failed=()
for name in $(FUZZ_CORPUS=$target/corpus "$bin/decode" 2>/dev/null); do
  [[ -z ${FUZZ_ONLY:-} || $FUZZ_ONLY == "$name" ]] || continue
  mkdir -p "regressions/$name"
  printf '%-28s' "$name"
  if FUZZ_DECODER=$name "$bin/decode" "$target/corpus/$name" "regressions/$name" \
    -max_total_time="$seconds" -max_len=8192 -rss_limit_mb=1024 -timeout=5 \
    -artifact_prefix="regressions/$name/" -print_final_stats=1 >"$target/$name.log" 2>&1; then
    sed -n 's/^stat::number_of_executed_units: */executions: /p' "$target/$name.log"
  else
    failed+=("$name")
    echo "FAILED, see $target/$name.log"
  fi
  rmdir --ignore-fail-on-non-empty "regressions/$name"
done

if ((${#failed[@]})); then
  echo "inputs that a decoder does not survive are in tests/fuzz/regressions: ${failed[*]}"
  exit 1
fi
