mod change;
mod dry_run;
mod read;

use serde_json::{Value, json};
use tests::Hospital;

const PATH: &str = "/api/finding-rules";

/// The rules in force.
async fn rules(hospital: &Hospital) -> Value {
    hospital.somebody("admin").get(PATH).await.expect(200)["rules"].take()
}

/// A rule about whatever one algorithm finds.
fn of_an_algorithm(algorithm: &Value) -> Value {
    json!({
        "id": "by-algorithm",
        "name": "Whatever it finds",
        "enabled": true,
        "matches": {"algorithms": [algorithm]},
        "severity": "LOW",
        "category": "FOUND_BY_SOFTWARE",
    })
}
