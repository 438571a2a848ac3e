use domain::{FOLLOW_UP_DONE, FindingStatus, Right, Severity, fhir::Acknowledgement, sources};
use serde_json::json;
use service::{Context, Reply, Result};

use crate::{form, refusal};

/// A clinician acknowledges a critical finding in another system, which says so. It holds what holds of an
/// acknowledgement here: once, never the one who reported it, and a CRITICAL one is read back. The clinician is one who was
/// told of the finding, or ordered the study; nobody else can have seen it. Said again it is the same acknowledgement.
pub(crate) async fn acknowledge(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::Exchange).await?;
    let resource = form::sent(cx).await?;
    let Acknowledgement { finding, clinician, patient_id, read_back } =
        Acknowledgement::read(&resource).map_err(form::invalid)?;
    cx.concerns(patient_id.clone(), Some(finding.uuid()));

    let sealed =
        caller.seal.fields("findings", finding, [("readBack", read_back.map(|said| json!(said)))])?;
    caller
        .once(
            "fhir.acknowledge",
            json!({
                "clinician": clinician,
                "patientId": patient_id,
                "acknowledgement": {
                    "id": finding,
                    "reach": caller.reach,
                    "within": [caller.reach],
                    "from": sources(FindingStatus::ALL, FindingStatus::step, FindingStatus::Acknowledged),
                    "readBackFor": Severity::READ_BACK,
                    "followUpDone": FOLLOW_UP_DONE,
                    "sealed": sealed,
                },
            }),
        )
        .await
        .map_err(refusal::explain)?;
    Ok(form::done("finding_acknowledged", "The finding is acknowledged."))
}
