//! The archive's figures on a few blocks: everything is measured, and nothing is beyond what it can be.

use salus_bench::archive::{self, Settings};
use salus_bench::figures::Report;
use salus_bench::throughput;
use std::time::Duration;

fn settings() -> Settings {
    Settings {
        seed: 7,
        large_blocks: 4,
        middle_blocks: 4,
        openings: 4,
        load: throughput::Settings {
            doctors: 8,
            in_flight: 64,
            warm_up: Duration::from_millis(500),
            window: Duration::from_secs(2),
            light: Duration::from_secs(1),
            light_rate: 1,
            signed_per_second: 100,
            parent: None,
        },
        parent: None,
    }
}

fn value(report: &Report, name: &str) -> f64 {
    let figure = report.figures.iter().find(|figure| figure.name == name);
    figure.expect(name).value
}

#[tokio::test]
async fn four_validators_are_measured() {
    let report = archive::run(&settings(), |_| {}).await.unwrap();
    let within = |name: &str, from: f64, to: f64| {
        let value = value(&report, name);
        assert!((from..=to).contains(&value), "{name}: {value}");
    };
    // A share is a k-th of the body, its tag and its record; then the index, which has hardly begun.
    within("share_record_over_kth_1mib", 1.0, 1.02);
    within("disk_over_kth_1mib", 1.0, 4.0);
    within("share_record_over_kth_64kib", 1.0, 1.1);
    within("repair_bytes_over_body", 1.0, 1.1);
    within("join_rewritten_bytes", 0.0, 0.0);
    within("reconstruct_1mib_p50_ms", 0.01, 10_000.0);
    within("body_bytes_per_access_tx", 100.0, 400.0);
    for name in [
        "seal_gb_per_s",
        "check_dealing_gb_per_s",
        "open_originals_gb_per_s",
        "open_parity_gb_per_s",
    ] {
        within(name, 0.001, 100.0);
    }
    assert!(value(&report, "disk_bytes_per_access_tx_per_node") > 0.0);
    assert!(
        report
            .json_lines()
            .unwrap()
            .iter()
            .all(|line| line.starts_with("{\"name\":"))
    );
}
