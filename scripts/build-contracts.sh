#!/usr/bin/env bash
# Builds the contracts for wasm32-unknown-unknown, reproducibly, and records how.
#
#   scripts/build-contracts.sh           build, write contracts-wasm/artifacts/*.wasm and manifest.json
#   scripts/build-contracts.sh --check   build beside them and compare, when the compiler is the recorded one;
#                                        otherwise only prove that the sources are the recorded ones and build
#
# Compiler: rustup's wasm32-unknown-unknown target if it is installed, else Debian's packages
# rustc-web, rust-web-src and lld (the standard library is then built from source).
set -euo pipefail

readonly CRATES=(registry access care office_hours purpose_of_use minors research_cohort care_team)
readonly TARGET=wasm32-unknown-unknown

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
workspace=$root/contracts-wasm
artifacts=$workspace/artifacts
manifest=$artifacts/manifest.json
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$workspace/target}
stage=$CARGO_TARGET_DIR/stage

die() { echo "build-contracts: $*" >&2; exit 1; }

# Sets `compiler` (what the manifest records) and `build` (the command).
choose_compiler() {
    local sysroot host
    sysroot=$(cd "$workspace" && rustc --print sysroot)
    host=$(cd "$workspace" && rustc --version --verbose | sed -n 's/^host: //p')
    build=(cargo build --release --locked --target "$TARGET")
    if [[ -d $sysroot/lib/rustlib/$TARGET ]]; then
        compiler="$(cd "$workspace" && rustc --version), $TARGET from rustup"
        source_root=$sysroot/lib/rustlib/src/rust
        return
    fi
    [[ -x /usr/bin/rustc && -d /usr/lib/rustlib/src/rust/library ]] ||
        die "no compiler: run 'rustup target add $TARGET', or install rustc-web, rust-web-src and lld"
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
    compiler="$($RUSTC --version), Debian rustc-web, core and alloc from source"
    source_root=/usr/lib/rustlib/src/rust
    local linker=$sysroot/lib/rustlib/$host/bin/rust-lld
    [[ -x $linker ]] || die "no linker at $linker: install the rustup toolchain of rust-toolchain.toml"
    build+=(-Zbuild-std=core,alloc --config "target.$TARGET.linker='$linker'")
}

# Machine code for the minimal WebAssembly, and only the extensions that the host admits; no machine's paths.
choose_flags() {
    mapfile -t flags < <(grep -v '^#' "$root/scripts/guest-flags.txt")
    local remap=("--remap-path-prefix=$stage=/salus") path
    # The compiler names its sources by either path; dependencies lie in one folder for each registry.
    for path in "$source_root" "$(readlink -f "$source_root")"; do
        remap+=("--remap-path-prefix=$path=/rust")
    done
    for path in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
        remap+=("--remap-path-prefix=$path=/crates")
    done
    local all=("${flags[@]}" "${remap[@]}")
    CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; echo "${all[*]}")
    export CARGO_ENCODED_RUSTFLAGS
    # Incremental builds, which a shell may have asked for, cut the code differently.
    export CARGO_INCREMENTAL=0
}

# One hash over every file that the artefacts are built from.
source_hash() {
    cd "$root"
    find contracts-wasm/{sdk,sdk-macros,registry,access,care,rules}/{src,Cargo.toml} contracts-wasm/rules/*/{src,Cargo.toml} \
        contracts-wasm/Cargo.{toml,lock} runtime/abi/{src,Cargo.toml} -type f 2>/dev/null |
        LC_ALL=C sort -u | xargs sha256sum | sha256sum | cut -d' ' -f1
}

# Copies the sources into one folder. Cargo hashes the absolute path of a crate outside the workspace into its
# symbols, and so into the order of the code: with `abi` inside, the artefacts are the same wherever the checkout is.
copy_sources() {
    rm -rf "$stage"
    mkdir -p "$stage"
    (cd "$workspace" && cp -r Cargo.toml Cargo.lock sdk sdk-macros registry access care rules "$stage/")
    cp -r "$root/runtime/abi" "$root/rust-toolchain.toml" "$stage/"
    sed -i -e 's|"../runtime/abi"|"abi"|' -e 's|^exclude = .*|exclude = ["abi"]|' "$stage/Cargo.toml"
    sed -i -e 's|"../../contracts-wasm/sdk-macros"|"../sdk-macros"|' "$stage/abi/Cargo.toml"
}

compile() {
    local packages=()
    for crate in "${CRATES[@]}"; do packages+=(-p "salus-${crate//_/-}"); done
    (cd "$stage" && "${build[@]}" "${packages[@]}")
    out=$CARGO_TARGET_DIR/$TARGET/release
}

write_manifest() {
    local separator=""
    {
        printf '{\n  "compiler": "%s",\n  "flags": "%s",\n' "$compiler" "${flags[*]}"
        printf '  "profile": "release: opt-level 2, lto fat, codegen-units 1, panic abort, strip, overflow checks",\n'
        printf '  "sources_sha256": "%s",\n  "artifacts": [' "$(source_hash)"
        for crate in "${CRATES[@]}"; do
            local file=$artifacts/$crate.wasm
            printf '%s\n    { "file": "%s.wasm", "bytes": %d, "sha256": "%s" }' "$separator" "$crate" \
                "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -d' ' -f1)"
            separator=","
        done
        printf '\n  ]\n}\n'
    } >"$manifest"
}

check() {
    [[ -f $manifest ]] || die "no $manifest: run without --check first"
    grep -qF "\"$(source_hash)\"" "$manifest" ||
        die "the sources have changed since the artefacts were built: run scripts/build-contracts.sh and commit"
    for crate in "${CRATES[@]}"; do
        local file=$artifacts/$crate.wasm
        grep -qF "\"$(sha256sum "$file" | cut -d' ' -f1)\"" "$manifest" || die "$file is not the recorded one"
    done
    if ! grep -qF "\"$compiler\"" "$manifest"; then
        echo "build-contracts: the sources are the recorded ones and build; not compared: another compiler ($compiler)"
        return
    fi
    for crate in "${CRATES[@]}"; do
        cmp "$out/salus_$crate.wasm" "$artifacts/$crate.wasm" || die "$crate does not reproduce"
    done
    echo "build-contracts: ${#CRATES[@]} artefacts reproduce"
}

choose_compiler
choose_flags
copy_sources
compile
case ${1:-} in
    --check) check ;;
    "")
        mkdir -p "$artifacts"
        for crate in "${CRATES[@]}"; do cp "$out/salus_$crate.wasm" "$artifacts/$crate.wasm"; done
        write_manifest
        cat "$manifest"
        ;;
    *) die "unknown argument $1: --check is the only one" ;;
esac
