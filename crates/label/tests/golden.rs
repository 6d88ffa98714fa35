//! Labels of the built-in labeler against those of nDPI 5.0 for real captures.

mod common;

use std::sync::Arc;

use rockfish_label::{BuiltinLabeler, Custom};

#[test]
fn labels_of_captures() {
    let Some(folder) = common::folder() else { return };
    let score =
        common::compare(&folder, || Box::new(BuiltinLabeler::new(Arc::new(Custom::default()))));
    for difference in &score.differences {
        println!("{difference}");
    }
    println!(
        "{} flows: {} labels, {} protocols, {} categories equal",
        score.flows, score.labels, score.masters, score.categories
    );
    assert_eq!(score.missing, 0, "flows that were not found");
    assert!(
        score.permille(score.masters) >= 960,
        "protocols equal: {} of {}",
        score.masters,
        score.flows
    );
    assert!(
        score.permille(score.labels) >= 900,
        "labels equal: {} of {}",
        score.labels,
        score.flows
    );
}
