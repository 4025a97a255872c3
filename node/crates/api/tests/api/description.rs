//! The checked-in description is the one the code makes.

use crate::harness::Server;
use expect_test::expect_file;
use std::collections::BTreeSet;

#[test]
fn openapi_is_up_to_date() {
    expect_file!["../../openapi.json"].assert_eq(&salus_api::openapi().unwrap());
}

#[tokio::test]
async fn the_served_description_is_the_checked_in_one() {
    let server = Server::start().await;
    let (status, served) = server.get("/openapi.json").await;
    assert_eq!(status, 200);
    let checked_in = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json")).unwrap();
    let checked_in: serde_json::Value = serde_json::from_str(&checked_in).unwrap();
    assert_eq!(served, checked_in);
}

#[test]
fn every_operation_has_a_name_a_tag_and_a_success() {
    let api: serde_json::Value = serde_json::from_str(&salus_api::openapi().unwrap()).unwrap();
    let mut names = BTreeSet::new();
    for (path, methods) in api["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{name} stands twice");
            assert!(operation["summary"].is_string(), "{method} {path} has no summary");
            assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{method} {path}");
            assert!(operation["responses"]["200"].is_object(), "{method} {path}");
        }
    }
    assert_eq!(names.len(), 29);
}

#[test]
fn every_reference_leads_somewhere() {
    let text = salus_api::openapi().unwrap();
    let api: serde_json::Value = serde_json::from_str(&text).unwrap();
    let references = text
        .split("\"#")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap());
    let mut count = 0;
    for pointer in references {
        assert!(api.pointer(pointer).is_some(), "{pointer}");
        count += 1;
    }
    assert!(count > 100, "{count}");
}
