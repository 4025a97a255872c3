# Chores, one word each. `just` lists them.

default:
    @just --list

# What the README promises.
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

test:
    cargo test --workspace

lint:
    cargo fmt --all -- --check
    cargo clippy --workspace --all-targets -- -D warnings

# Rebuild the contracts' WebAssembly and its manifest.
contracts:
    scripts/build-contracts.sh

# Tests of the contracts against the real host.
contracts-test:
    cargo test --manifest-path contracts-wasm/Cargo.toml

figures *ARGS:
    cargo run --release -p salus-bench -- figures {{ARGS}}

# Everything that the continuous integration runs.
ci:
    bash .ci/run
