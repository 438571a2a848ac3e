use domain::{
    ExternalId, OrderId, OrderStatus, Prose, ReportStatus, Right, StudyStatus,
    fhir::{Asked, Exchange, Identifier, Known, Placed},
    sources,
};
use serde_json::{Map, Value, json};
use service::{Authorized, Context, Error, Reply, Result};

use crate::{form, refusal};

/// Places an order, once by its first identifier; or cancels the one that is known by it.
pub(crate) async fn place(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::Exchange).await?;
    let resource = form::sent(cx).await?;
    let exchange = Exchange::here(caller.caller.organization.as_str());
    match exchange.asked(&resource).map_err(form::invalid)? {
        Asked::Place(order) => place_order(cx, &caller, order).await,
        Asked::Cancel { known, patient_id, reason } => {
            cancel_order(cx, &caller, &known, patient_id, reason).await
        }
    }
}

async fn place_order(cx: &Context, caller: &Authorized<'_>, order: Placed) -> Result<Reply> {
    cx.concerns(Some(order.patient_id.clone()), None);
    let id = OrderId::mint();
    let fingerprints = caller.seal.digests("order placed", &order)?;
    let sealed = caller.seal.fields(
        "orders",
        id,
        [
            ("clinicalIndication", Some(json!(order.clinical_indication))),
            ("instructions", Some(json!(order.instructions))),
        ],
    )?;
    let placed = caller
        .once(
            "fhir.place_order",
            json!({
                "identifiers": order.identifiers,
                "number": order.number,
                "fingerprints": fingerprints,
                "order": {
                    "id": id,
                    "accessionNumber": order.accession_number,
                    "patientId": order.patient_id,
                    "providerId": order.provider_id,
                    "facilityId": order.facility_id,
                    "priority": order.priority,
                    "modality": order.modality,
                    "bodyPart": order.body_part,
                    "transportRequired": false,
                    "contrastAllergy": false,
                    "scheduledAt": order.scheduled_at,
                    "sealed": sealed,
                    "followed":
                        [OrderStatus::follow(StudyStatus::InProgress), OrderStatus::follow(StudyStatus::Completed)],
                    "settled": StudyStatus::SETTLED,
                    "beforeImages": StudyStatus::BEFORE_IMAGES,
                },
            }),
        )
        .await
        .map_err(refusal::explain)?;
    let is_new = placed.get("placed").and_then(Value::as_bool).unwrap_or_default();
    let resource = Exchange::here(caller.caller.organization.as_str()).service_request(&placed);
    let reply = form::resource(&resource);
    if !is_new {
        return Ok(reply);
    }
    let id = placed.get("id").and_then(Value::as_str).unwrap_or_default();
    Ok(reply.with_status(201).header("location", &format!("/fhir/ServiceRequest/{id}")))
}

/// Reads first: the reason is sealed for the order. What is cancelled already stays so.
async fn cancel_order(
    cx: &Context,
    caller: &Authorized<'_>,
    known: &Known,
    patient: ExternalId,
    reason: Option<Prose>,
) -> Result<Reply> {
    cx.concerns(Some(patient.clone()), None);
    let exchange = Exchange::here(caller.caller.organization.as_str());
    let called = known.called().ok_or(Error::NotFound)?;
    let ask = json!({"reach": caller.reach, "called": called, "limit": 1});
    let found = caller.call("fhir.list_orders", ask).await?;
    let order = found.get(0).ok_or(Error::NotFound)?;
    let text = |name| order.get(name).and_then(Value::as_str).unwrap_or_default();
    // It is named twice, and both have to mean the same order.
    let is_known = |identifier: &Identifier| {
        let identifiers = order.get("identifiers").and_then(Value::as_array);
        identifiers.is_some_and(|identifiers| identifiers.contains(&json!(identifier)))
    };
    if !known.identifier.as_ref().is_none_or(is_known) {
        return Err(refusal::identifier_in_use());
    }
    if text("patientId") != patient.as_str() {
        return Err(Error::conflict(
            "other_patient",
            "The order that is known by this identifier is another patient's.",
        ));
    }
    if text("status") == OrderStatus::Cancelled.as_str() {
        return Ok(form::resource(&exchange.service_request(order)));
    }
    let id: OrderId = text("id").parse().map_err(|_| Error::Internal("an order without an id".to_owned()))?;
    cx.concerns(None, Some(id.uuid()));
    let sealed = caller.seal.fields("orders", id, [("statusReason", reason.map(|reason| json!(reason)))])?;
    let ask = Map::from_iter([
        ("id".to_owned(), json!(id)),
        ("act".to_owned(), json!("order.cancel")),
        ("reach".to_owned(), json!(caller.reach)),
        ("within".to_owned(), json!([caller.reach])),
        ("sealed".to_owned(), sealed),
        ("status".to_owned(), json!(OrderStatus::Cancelled)),
        ("from".to_owned(), sources(OrderStatus::ALL, OrderStatus::step, OrderStatus::Cancelled)),
        ("settled".to_owned(), json!(StudyStatus::SETTLED)),
        ("signed".to_owned(), json!(ReportStatus::SIGNED)),
        ("studies".to_owned(), sources(StudyStatus::ALL, StudyStatus::step, StudyStatus::Cancelled)),
    ]);
    let cancelled = caller.call("fhir.cancel_order", Value::Object(ask)).await.map_err(refusal::explain)?;
    Ok(form::resource(&exchange.service_request(&cancelled)))
}
