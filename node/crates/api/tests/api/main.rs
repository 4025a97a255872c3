//! The API over a real socket with a real HTTP client; a scripted node answers the channel.
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod bounds;
mod chain;
mod description;
mod events;
mod harness;
mod node;
mod people;
mod transactions;
