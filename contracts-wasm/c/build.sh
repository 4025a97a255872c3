#!/usr/bin/env bash
# Builds office_hours.wasm from C, with Debian's clang and lld, and records how.
#
#   contracts-wasm/c/build.sh           build, write office_hours.wasm and manifest.json
#   contracts-wasm/c/build.sh --check   compare the hashes; where the recorded compiler is installed, build and compare too
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly FLAGS=(
    --target=wasm32 -std=c11 -O2 -ffreestanding -nostdlib -Wall -Wextra -Werror -Wno-unused-function
    -mcpu=mvp -mbulk-memory -msign-ext
    -Wl,--no-entry -Wl,--strip-all -Wl,--stack-first -Wl,-z,stack-size=32768
)

build() { clang "${FLAGS[@]}" -o "$1" office_hours.c; }

hash_of() { sha256sum "$1" | cut -d' ' -f1; }

# What the manifest names must be what lies here, whatever is installed.
recorded() {
    local file
    for file in salus.h office_hours.c office_hours.wasm; do
        grep -qF "$(hash_of "$file")" manifest.json || { echo "$file is not the recorded one: run build.sh" >&2; exit 1; }
    done
}

compiler=$({ clang --version 2>/dev/null || echo none; } | head -n 1)

case ${1:-} in
    --check)
        recorded
        grep -qF "\"$compiler\"" manifest.json ||
            { echo "the files are the recorded ones; not built: the compiler here is $compiler"; exit 0; }
        out=$(mktemp --suffix=.wasm)
        trap 'rm -f "$out"' EXIT
        build "$out"
        cmp "$out" office_hours.wasm
        echo "office_hours.wasm reproduces"
        ;;
    "")
        build office_hours.wasm
        cat >manifest.json <<EOF
{
  "compiler": "$compiler",
  "flags": "${FLAGS[*]}",
  "sources": { "salus.h": "$(hash_of salus.h)", "office_hours.c": "$(hash_of office_hours.c)" },
  "artifact": { "file": "office_hours.wasm", "bytes": $(stat -c %s office_hours.wasm), "sha256": "$(hash_of office_hours.wasm)" }
}
EOF
        cat manifest.json
        ;;
    *) echo "unknown argument $1: --check is the only one" >&2; exit 1 ;;
esac
