//! Logs and metrics: what an operator sees. No health data, keys or patient addresses are ever put into either.

use crate::config::Log;
use metrics::{counter, gauge};
use salus_net::{Snapshot, Traffic};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging to standard error. A malformed filter falls back to `info` and says so.
pub(crate) fn start_logging(log: &Log) {
    let (filter, malformed) = match EnvFilter::try_new(&log.filter) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = if log.json {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
    if let Err(error) = started {
        tracing::debug!(error, "logging was started before");
    }
    if let Some(error) = malformed {
        tracing::warn!(%error, "the log filter is malformed; logging at info");
    }
}

/// Copies the network's counters into the metrics.
pub(crate) fn network(snapshot: &Snapshot) {
    let kinds = [
        ("direct", snapshot.direct),
        ("transactions", snapshot.transactions),
        ("headers", snapshot.headers),
        ("bodies", snapshot.bodies),
        ("shares", snapshot.shares),
        ("records", snapshot.records),
    ];
    for (
        kind,
        Traffic {
            messages_out,
            bytes_out,
            messages_in,
            bytes_in,
        },
    ) in kinds
    {
        counter!("salus_net_messages_out_total", "kind" => kind).absolute(messages_out);
        counter!("salus_net_bytes_out_total", "kind" => kind).absolute(bytes_out);
        counter!("salus_net_messages_in_total", "kind" => kind).absolute(messages_in);
        counter!("salus_net_bytes_in_total", "kind" => kind).absolute(bytes_in);
    }
    counter!("salus_net_wire_bytes_out_total").absolute(snapshot.wire_bytes_out);
    counter!("salus_net_wire_bytes_in_total").absolute(snapshot.wire_bytes_in);
    gauge!("salus_net_peers").set(snapshot.peers as f64);
    let dropped = snapshot.dropped;
    counter!("salus_net_dropped_total", "kind" => "direct_out").absolute(dropped.direct_out);
    counter!("salus_net_dropped_total", "kind" => "direct_in").absolute(dropped.direct_in);
    counter!("salus_net_dropped_total", "kind" => "gossip_in").absolute(dropped.gossip_in);
    counter!("salus_net_dropped_total", "kind" => "gossip_out").absolute(dropped.gossip_out);
}
