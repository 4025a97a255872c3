# Chores, one word each. `just` lists them.

default:
    @just --list

# What the README promises.
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

test:
    cargo test --workspace

# A validator that was away for 10,000 blocks, and one that lost everything, arrive. Takes some minutes.
lagging:
    cargo test -p salus-tests --test process -- --ignored --nocapture 10_000

# Ten members come and six go again, under load: some minutes.
members-long:
    cargo test -p salus-tests --test process grows_from_four_to_seven_to_ten -- --ignored --nocapture

lint:
    cargo fmt --all -- --check
    cargo clippy --workspace --all-targets -- -D warnings

# Rebuild the contracts' WebAssembly and its manifest.
contracts:
    scripts/build-contracts.sh

# Tests of the contracts against the real host.
contracts-test:
    cargo test --manifest-path contracts-wasm/Cargo.toml

# How much the contracts' tests notice: their decision logic is changed one place at a time. Some twenty minutes.
mutants *PACKAGES:
    cargo run -p xtask -- mutants {{PACKAGES}}

figures *ARGS:
    cargo run --release -p salus-bench -- figures {{ARGS}}

# Everything that the continuous integration runs.
ci:
    bash .ci/run
