use domain::{
    ExternalId, Line, Modality, Moment, OrderId, OrderStatus, Priority, Prose, Right, StudyStatus,
    dicom::AccessionNumber,
};
use serde_json::{Value, json};
use service::{Context, Error, Reply, Result};

/// Places an order, at one of the caller's own facilities.
pub(crate) async fn place(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::PlaceOrder).await?;

    let mut body = cx.body().await?;
    let accession_number = body.optional::<AccessionNumber>("accessionNumber");
    let patient_id = body.required::<ExternalId>("patientId");
    let provider_id = body.required::<ExternalId>("providerId");
    let facility_id = body.required::<ExternalId>("facilityId");
    let priority = body.optional::<Priority>("priority").unwrap_or(Priority::Routine);
    let modality = body.required::<Modality>("modality");
    let body_part = body.required::<Line>("bodyPart");
    let clinical_indication = body.required::<Prose>("clinicalIndication");
    let instructions = body.optional::<Prose>("instructions");
    let urgency = body.optional::<Line>("urgency");
    let transport_required = body.optional::<bool>("transportRequired").unwrap_or(false);
    let contrast_allergy = body.optional::<bool>("contrastAllergy").unwrap_or(false);
    let contrast_notes = body.optional::<Prose>("contrastNotes");
    let scheduled_at = body.optional::<Moment>("scheduledAt");
    body.habit("status", "PENDING");
    body.finish()?;

    if !facility_id.as_ref().is_some_and(|facility| caller.reach.includes_facility(facility)) {
        return Err(Error::Forbidden("Your role places orders at its own facilities only."));
    }
    let id = OrderId::mint();
    let sealed = caller.seal.fields(
        "orders",
        id,
        [
            ("clinicalIndication", Some(json!(clinical_indication))),
            ("instructions", Some(json!(instructions))),
            ("contrastNotes", Some(json!(contrast_notes))),
        ],
    )?;
    let order = caller
        .once(
            "orders.place",
            json!({
                "id": id,
                "accessionNumber": accession_number,
                "patientId": patient_id,
                "providerId": provider_id,
                "facilityId": facility_id,
                "priority": priority,
                "modality": modality,
                "bodyPart": body_part,
                "urgency": urgency,
                "transportRequired": transport_required,
                "contrastAllergy": contrast_allergy,
                "scheduledAt": scheduled_at,
                "sealed": sealed,
                "followed": [OrderStatus::follow(StudyStatus::InProgress), OrderStatus::follow(StudyStatus::Completed)],
                "settled": StudyStatus::SETTLED,
                "beforeImages": StudyStatus::BEFORE_IMAGES,
            }),
        )
        .await?;
    let location =
        format!("/api/imaging-orders/{}", order.get("id").and_then(Value::as_str).unwrap_or_default());
    Ok(Reply::created("order", order, &location))
}
