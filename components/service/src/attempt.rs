//! What is known of a request that comes to nothing, for the audit: who asked, for which right, and about whom.

use domain::{Caller, ExternalId, Right};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Query;

/// Who asks, and for which right last.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(crate) caller: Caller,
    pub(crate) right: Right,
    /// Why the caller breaks the glass, sealed; null when it is whole.
    pub(crate) emergency: Value,
}

/// What a request's body names.
#[derive(Default)]
pub(crate) struct Named {
    patient: Option<ExternalId>,
    ids: Vec<Uuid>,
}

impl Named {
    pub(crate) fn of(body: &Value) -> Self {
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        Self {
            patient: text("patientId").and_then(|patient| patient.try_into().ok()),
            ids: ["orderId", "studyId", "imageId", "reportId"]
                .into_iter()
                .filter_map(text)
                .filter_map(id)
                .collect(),
        }
    }

    /// The same of what somebody has read in the body.
    pub(crate) fn also(&mut self, patient: Option<ExternalId>, id: Option<Uuid>) {
        self.patient = patient.or_else(|| self.patient.take());
        self.ids.extend(id);
    }

    /// What `audit.refuse` is asked: all that a request names, in its path and query as well.
    pub(crate) fn ask(&self, right: Right, code: &str, segments: &[String], query: &str) -> Value {
        let after = |name: &str| {
            segments.iter().zip(segments.iter().skip(1)).find(|(word, _)| *word == name).map(|(_, next)| next)
        };
        let of_path = after("patient").and_then(|patient| patient.as_str().try_into().ok());
        let of_query = Query::new(query).optional::<ExternalId>("patientId");
        let patients: Vec<ExternalId> =
            [of_path, of_query, self.patient.clone()].into_iter().flatten().collect();
        json!({
            "action": right,
            "code": code,
            "id": segments.iter().find_map(|segment| id(segment)),
            "ids": self.ids,
            "patients": patients,
            "accessionNumber": after("accession"),
        })
    }
}

fn id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(path: &str, query: &str, body: &Value) -> Value {
        let segments: Vec<String> = path.split('/').skip(1).map(str::to_owned).collect();
        Named::of(body).ask(Right::ReadOrders, "forbidden", &segments, query)
    }

    #[test]
    fn whom_a_request_is_about_is_found_wherever_it_says_so() {
        let order = "01a20c62-a2cc-796d-9a90-5586813c5a48";
        let body = json!({"patientId": "P3", "orderId": order, "studyId": "no id"});
        let asked = ask("/api/imaging-orders/patient/P1", "limit=1&patientId=P2", &body);
        assert_eq!(asked["patients"], json!(["P1", "P2", "P3"]));
        assert_eq!((&asked["id"], &asked["ids"]), (&Value::Null, &json!([order])));
        assert_eq!(ask(&format!("/api/imaging-orders/{order}"), "", &Value::Null)["id"], order);
        assert_eq!(ask("/api/studies/accession/ACC-1", "", &json!([]))["accessionNumber"], "ACC-1");
    }

    #[test]
    fn what_could_be_no_patient_is_none() {
        let asked = ask("/api/imaging-orders/patient", "patientId=", &json!({"patientId": "x".repeat(65)}));
        assert_eq!(asked["patients"], json!([]));
    }
}
