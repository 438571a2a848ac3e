//! ServiceRequest: an order.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Exchange, Faults, Update,
    element::{self, Element},
    exchange::{DCM, System, codings_of, text, words_of},
};
use crate::{
    ExternalId, Line, Modality, Moment, OrderStatus, Parse, Priority, Prose, Text, dicom::AccessionNumber,
};

/// The elements that R4 has; those that mean nothing here are read over.
const ELEMENTS: &[&str] = &[
    "identifier",
    "instantiatesCanonical",
    "instantiatesUri",
    "basedOn",
    "replaces",
    "requisition",
    "status",
    "intent",
    "category",
    "priority",
    "doNotPerform",
    "code",
    "orderDetail",
    "quantityQuantity",
    "quantityRatio",
    "quantityRange",
    "subject",
    "encounter",
    "occurrenceDateTime",
    "occurrencePeriod",
    "occurrenceTiming",
    "asNeededBoolean",
    "asNeededCodeableConcept",
    "authoredOn",
    "requester",
    "performerType",
    "performer",
    "locationCode",
    "locationReference",
    "reasonCode",
    "reasonReference",
    "insurance",
    "supportingInfo",
    "specimen",
    "bodySite",
    "note",
    "patientInstruction",
    "relevantHistory",
];

/// What an order is known by to whoever placed it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Identifier {
    pub system: String,
    pub value: String,
}

/// The most identifiers that an order has.
const IDENTIFIERS: usize = 10;

/// An order as another system places it. The first of its identifiers is what it is placed once by.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Placed {
    pub identifiers: Vec<Identifier>,
    pub accession_number: Option<AccessionNumber>,
    pub patient_id: ExternalId,
    pub provider_id: ExternalId,
    pub facility_id: ExternalId,
    pub priority: Priority,
    pub modality: Modality,
    pub body_part: Line,
    pub clinical_indication: Prose,
    pub instructions: Option<Prose>,
    pub scheduled_at: Option<Moment>,
}

/// What another system asks for by a ServiceRequest.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// `active` or `draft`.
    Place(Placed),
    /// `revoked`: the order that is known by the first of the identifiers is not wanted any more.
    Cancel { identifier: Identifier, patient_id: ExternalId, reason: Option<Prose> },
}

impl Asked {
    /// Reads a ServiceRequest that was sent.
    pub fn read(resource: &Value) -> Result<Self, Faults> {
        element::read(resource, "ServiceRequest", ELEMENTS, |request| {
            let status = request.code("status", &[("active", true), ("draft", true), ("revoked", false)]);
            let places = request.required("status", status);
            refuse_what_is_no_order(request);
            let (identifiers, accession_number) = identifiers(request);
            let subject = request.child("subject").and_then(|subject| subject.refers_to(&["Patient"]));
            let patient_id = request.required("subject", subject);
            if places == Some(false) {
                let identifier = identifiers.into_iter().next()?;
                return Some(Self::Cancel { identifier, patient_id: patient_id?, reason: notes(request) });
            }
            placed(request, identifiers, accession_number, patient_id).map(Self::Place)
        })
    }
}

/// A proposal is not an order, and what must not be done is none either.
fn refuse_what_is_no_order(request: &Element<'_>) {
    let orders = ["order", "original-order", "reflex-order", "filler-order", "instance-order"];
    let intent = request.code("intent", &orders.map(|code| (code, ())));
    request.required("intent", intent);
    if request.parse::<bool>("doNotPerform") == Some(true) {
        request.fault_of("doNotPerform", "must not be true: it would say that nothing is to be done");
    }
}

fn placed(
    request: &Element<'_>,
    identifiers: Vec<Identifier>,
    accession_number: Option<AccessionNumber>,
    patient_id: Option<ExternalId>,
) -> Option<Placed> {
    let requester = request.child("requester");
    let requester = requester.and_then(|by| by.refers_to(&["Practitioner", "PractitionerRole"]));
    let provider_id = request.required("requester", requester);
    let facility_id = facility(request);
    let priority = request.code(
        "priority",
        &[
            ("stat", Priority::Stat),
            ("asap", Priority::Urgent),
            ("urgent", Priority::Urgent),
            ("routine", Priority::Routine),
        ],
    );
    let modality = modality(request);
    let body_part = body_part(request);
    let reasons: Vec<String> = request.each("reasonCode").iter().filter_map(Element::concept).collect();
    let reason = (!reasons.is_empty()).then(|| reasons.join("\n"));
    let notes = notes(request);
    let (clinical_indication, instructions) = match reason {
        Some(reason) => (prose(request, "reasonCode", &reason), notes),
        None => (request.required("reasonCode", notes), None),
    };
    let scheduled_at = request
        .parse::<Moment>("occurrenceDateTime")
        .or_else(|| request.child("occurrencePeriod").and_then(|period| period.parse::<Moment>("start")));
    Some(Placed {
        identifiers,
        accession_number,
        patient_id: patient_id?,
        provider_id: provider_id?,
        facility_id: facility_id?,
        priority: priority.unwrap_or(Priority::Routine),
        modality: modality?,
        body_part: body_part?,
        clinical_indication: clinical_indication?,
        instructions,
        scheduled_at,
    })
}

/// What the order is known by, and its accession number, which is an identifier of that type.
fn identifiers(request: &Element<'_>) -> (Vec<Identifier>, Option<AccessionNumber>) {
    let (mut identifiers, mut accession_number) = (Vec::new(), None);
    for identifier in request.each("identifier") {
        let kinds = identifier.child("type").map(|kind| {
            kind.each("coding").iter().filter_map(|coding| coding.text("code")).collect::<Vec<_>>()
        });
        if kinds.is_some_and(|kinds| kinds.contains(&"ACSN")) {
            accession_number = identifier.parse::<AccessionNumber>("value").or(accession_number);
            continue;
        }
        let system = identifier.required("system", identifier.parse::<Text<256>>("system"));
        let value = identifier.required("value", identifier.parse::<Text<256>>("value"));
        if system.as_ref().is_some_and(|system| system.as_str().contains(char::is_whitespace)) {
            identifier.fault_of("system", "must be a URI");
        }
        if let (Some(system), Some(value)) = (system, value) {
            let known = Identifier { system: system.as_str().to_owned(), value: value.as_str().to_owned() };
            if !identifiers.contains(&known) {
                identifiers.push(known);
            }
        }
    }
    if identifiers.len() > IDENTIFIERS {
        request.fault_of("identifier", format!("must be at most {IDENTIFIERS}"));
    }
    let first = request.required("identifier", identifiers.first().map(drop));
    if first.is_none() && accession_number.is_some() {
        request.fault_of("identifier", "must hold one with a system, beside the accession number");
    }
    (identifiers, accession_number)
}

/// Where it is to be done.
fn facility(request: &Element<'_>) -> Option<ExternalId> {
    let location = request.each("locationReference").into_iter().next();
    let performer = || {
        request
            .each("performer")
            .into_iter()
            .find(|performer| performer.is_about(&["Organization", "Location"]))
    };
    match location.or_else(performer) {
        Some(place) => place.refers_to(&["Location", "Organization"]),
        None => request.required("locationReference", None),
    }
}

/// The machine: a code of DICOM's, wherever systems put it.
fn modality(request: &Element<'_>) -> Option<Modality> {
    let mut concepts: Vec<Element<'_>> = request.child("code").into_iter().collect();
    concepts.extend(request.each("orderDetail"));
    concepts.extend(request.each("category"));
    let codes: Vec<&str> = concepts.iter().flat_map(|concept| concept.codes_of(DCM)).collect();
    let Some((first, rest)) = codes.split_first() else {
        request.fault_of("code", format!("must hold a modality: a coding of {DCM}"));
        return None;
    };
    // A code of ours that DICOM does not have, from a client that reads our own documents.
    let one = |code: &str| code.parse().unwrap_or_else(|_| Modality::from_dicom(code));
    Some(rest.iter().fold(one(first), |all, code| all.joined_by(one(code))))
}

fn body_part(request: &Element<'_>) -> Option<Line> {
    let said = request.each("bodySite").iter().find_map(Element::concept);
    let said = request.required("bodySite", said)?;
    let line = Line::try_from(said.as_str());
    line.map_err(|fault| request.fault_of("bodySite", fault.to_string())).ok()
}

fn notes(request: &Element<'_>) -> Option<Prose> {
    let notes = request.each("note");
    let notes: Vec<&str> = notes.iter().filter_map(|note| note.text("text")).collect();
    if notes.is_empty() { None } else { prose(request, "note", &notes.join("\n")) }
}

fn prose(request: &Element<'_>, name: &str, said: &str) -> Option<Prose> {
    Prose::parse(&json!(said)).map_err(|fault| request.fault_of(name, fault.to_string())).ok()
}

impl Exchange<'_> {
    /// An order, as `orders.exchanged` documents it.
    pub fn service_request(self, order: &Value) -> Value {
        let words = |name| words_of(order, name);
        let status = match text(order, "status").and_then(|status| status.parse().ok()) {
            Some(OrderStatus::Pending | OrderStatus::Scheduled | OrderStatus::InProgress) => "active",
            Some(OrderStatus::OnHold) => "on-hold",
            Some(OrderStatus::Completed) => "completed",
            Some(OrderStatus::Cancelled) => "revoked",
            None => "unknown",
        };
        let priority = match text(order, "priority").and_then(|priority| priority.parse().ok()) {
            Some(Priority::Stat) => Some("stat"),
            Some(Priority::Urgent) => Some("urgent"),
            Some(Priority::Routine) => Some("routine"),
            None => None,
        };
        let modality = text(order, "modality");
        let what = [modality.map(|modality| modality.replace('_', "/")), words("bodyPart")];
        let what: Vec<String> = what.into_iter().flatten().collect();
        let reason = words("clinicalIndication");
        self.resource(
            "ServiceRequest",
            order,
            json!({
                "identifier": self.identifiers_of_order(order),
                "status": status,
                "intent": "order",
                "category": [{"coding": [
                    {"system": "http://snomed.info/sct", "code": "363679005", "display": "Imaging"},
                ]}],
                "priority": priority,
                "code": {"coding": codings_of(modality), "text": what.join(" ")},
                "subject": self.theirs("Patient", System::Patient, text(order, "patientId")),
                "occurrenceDateTime": text(order, "scheduledAt"),
                "authoredOn": text(order, "requestedAt"),
                "requester": self.theirs("Practitioner", System::Practitioner, text(order, "providerId")),
                "locationReference": [self.theirs("Location", System::Location, text(order, "facilityId"))],
                "reasonCode": [{"text": reason}],
                "bodySite": [{"text": words("bodyPart")}],
                "note": [{"text": words("instructions")}],
            }),
        )
    }

    /// How the state of an order is sent.
    pub fn update_of_order(self, order: &Value) -> Option<Update> {
        Self::update(self.service_request(order))
    }

    /// What an order is known by: to whoever placed it, and here.
    fn identifiers_of_order(self, order: &Value) -> Vec<Value> {
        let given = order.get("identifiers").and_then(Value::as_array).into_iter().flatten();
        let given =
            given.map(|known| json!({"system": text(known, "system"), "value": words_of(known, "value")}));
        let number = text(order, "orderNumber").map(|number| self.identifier(System::OrderNumber, number));
        let accession =
            text(order, "accessionNumber").map(|number| self.identifier(System::AccessionNumber, number));
        given.chain(number).chain(accession).collect()
    }

    /// A reference to an order, by the first that it is known by.
    pub(super) fn reference_to_order(self, order: Option<&Value>) -> Value {
        let Some(order) = order.filter(|order| order.is_object()) else { return Value::Null };
        let known = self.identifiers_of_order(order).into_iter().next().unwrap_or_default();
        self.ours("ServiceRequest", text(order, "id"), known)
    }
}
