//! ServiceRequest: an order.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Exchange, Faults, Update,
    element::{self, Coding, Element},
    exchange::{DCM, System, codings_of, day_or_moment, text, words, words_of},
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

/// An order's number, as a request repeats it: what it asks for is here already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Numbered {
    pub value: OrderNumber,
    /// Where it stands.
    pub element: String,
}

/// A number of this service's, in whatever form it is sent.
pub type OrderNumber = Text<256>;

/// The most identifiers that an order has.
const IDENTIFIERS: usize = 10;

/// An order as another system places it. The first of its identifiers is what it is placed once by.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Placed {
    /// What it is known by to whoever places it: none of this service's numbers.
    pub identifiers: Vec<Identifier>,
    /// Which it is here, where that is said. It is none of what is asked for.
    #[serde(skip)]
    pub number: Option<Numbered>,
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
    /// `active`.
    Place(Placed),
    /// `revoked` or `entered-in-error`: the order that is known so is not wanted any more.
    Cancel { known: Known, patient_id: ExternalId, reason: Option<Prose> },
}

/// What one order is known by, one of which is there: its number here, and the first that it has elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub number: Option<OrderNumber>,
    pub identifier: Option<Identifier>,
}

impl Exchange<'_> {
    /// Reads a ServiceRequest that was sent.
    pub fn asked(self, resource: &Value) -> Result<Asked, Faults> {
        element::read(resource, "ServiceRequest", ELEMENTS, |request| {
            let places = places(request);
            refuse_what_is_no_order(request);
            let identifiers = identifiers(self, request);
            let subject = request.child("subject").and_then(|subject| subject.refers_to(&["Patient"]));
            let patient_id = request.required("subject", subject);
            if places == Some(false) {
                let known = Known {
                    number: identifiers.number.map(|number| number.value),
                    identifier: identifiers.placers.into_iter().next(),
                };
                return Some(Asked::Cancel { known, patient_id: patient_id?, reason: notes(request) });
            }
            placed(request, identifiers, patient_id).map(Asked::Place)
        })
    }
}

/// Whether it is an order that is wanted, or one that is not any more.
fn places(request: &Element<'_>) -> Option<bool> {
    // Placed, it would be scanned; passed over, it would be lost once it is active without being sent again.
    if text(request.value(), "status") == Some("draft") {
        request.fault_of(
            "status",
            "must not be draft: what is not to be acted on yet is sent once it is active",
        );
        return None;
    }
    let codes = [("active", true), ("revoked", false), ("entered-in-error", false)];
    request.required("status", request.code("status", &codes))
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

fn placed(request: &Element<'_>, identifiers: Identifiers, patient_id: Option<ExternalId>) -> Option<Placed> {
    let requester = request.child("requester").and_then(|by| by.refers_to_practitioner());
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
    let body_part = body_part(request);
    let (modality, more) = what(request, body_part.as_ref());
    let reasons: Vec<String> = request.each("reasonCode").iter().filter_map(Element::concept).collect();
    let reason = (!reasons.is_empty()).then(|| reasons.join("\n"));
    let notes = notes(request);
    let (clinical_indication, notes) = match reason {
        Some(reason) => (prose(request, "reasonCode", &reason), notes),
        None => (request.required("reasonCode", notes), None),
    };
    let instructions = if more.is_empty() {
        notes
    } else {
        let notes = notes.iter().map(|notes| notes.as_str().to_owned());
        prose(request, "code", &notes.chain(more).collect::<Vec<_>>().join("\n"))
    };
    let scheduled_at = request
        .parse::<Moment>("occurrenceDateTime")
        .or_else(|| request.child("occurrencePeriod").and_then(|period| period.parse::<Moment>("start")));
    Some(Placed {
        identifiers: identifiers.placers,
        number: identifiers.number,
        accession_number: identifiers.accession_number,
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

/// What an order is called in a request.
#[derive(Default)]
struct Identifiers {
    placers: Vec<Identifier>,
    number: Option<Numbered>,
    accession_number: Option<AccessionNumber>,
}

/// What the order is known by, and its accession number, which is an identifier of that type. What this service numbers is
/// its own, whoever repeats it, and never an identifier of a placer's.
fn identifiers(exchange: Exchange<'_>, request: &Element<'_>) -> Identifiers {
    let mut identifiers = Identifiers::default();
    for identifier in request.each("identifier") {
        let kinds = identifier.child("type").map(|kind| {
            kind.each("coding").iter().filter_map(|coding| coding.text("code")).collect::<Vec<_>>()
        });
        let own = identifier.text("system").and_then(|system| exchange.system_of(system));
        if own == Some(System::AccessionNumber)
            || (own.is_none() && kinds.is_some_and(|kinds| kinds.contains(&"ACSN")))
        {
            let number = identifier.parse::<AccessionNumber>("value");
            identifiers.accession_number = number.or(identifiers.accession_number);
            continue;
        }
        if own == Some(System::OrderNumber) {
            let number = identifier.required("value", identifier.parse::<OrderNumber>("value"));
            if identifiers.number.as_ref().is_some_and(|known| Some(&known.value) != number.as_ref()) {
                identifier.fault_of("value", "is the number of another order than the one before");
            }
            let element = identifier.path_of("value");
            identifiers.number = number.map(|value| Numbered { value, element }).or(identifiers.number);
            continue;
        }
        if own.is_some() {
            identifier.fault_of("system", "is what this service calls something else by than an order");
            continue;
        }
        let system = identifier.required("system", identifier.parse::<Text<256>>("system"));
        let value = identifier.required("value", identifier.parse::<Text<256>>("value"));
        if system.as_ref().is_some_and(|system| system.as_str().contains(char::is_whitespace)) {
            identifier.fault_of("system", "must be a URI");
        }
        if let (Some(system), Some(value)) = (system, value) {
            let known = Identifier { system: system.as_str().to_owned(), value: value.as_str().to_owned() };
            if !identifiers.placers.contains(&known) {
                identifiers.placers.push(known);
            }
        }
    }
    if identifiers.placers.len() > IDENTIFIERS {
        request.fault_of("identifier", format!("must be at most {IDENTIFIERS}"));
    }
    let known = identifiers.placers.first().map(drop).or(identifiers.number.as_ref().map(drop));
    if known.is_none() && identifiers.accession_number.is_some() {
        request.fault_of("identifier", "must hold one with a system, beside the accession number");
    }
    request.required("identifier", known);
    identifiers
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

/// What is to be done: the machine, which is a code of DICOM's wherever systems put it; and what else is said of it, in
/// words, so that whoever scans can read it.
fn what(request: &Element<'_>, body_part: Option<&Line>) -> (Option<Modality>, Vec<String>) {
    let mut said: Vec<Element<'_>> = request.child("code").into_iter().collect();
    said.extend(request.each("orderDetail"));
    let said: Vec<_> = said.iter().map(|concept| (concept.text("text"), concept.codings())).collect();
    let categories: Vec<_> = request.each("category").iter().flat_map(Element::codings).collect();
    let codings = said.iter().flat_map(|(_, codings)| codings).chain(&categories);
    let machines: Vec<Modality> = codings.filter_map(machine).collect();
    let modality = machines.iter().try_fold(None, |all, one| match all {
        None => Some(Some(*one)),
        Some(all) => joined(all, *one).map(Some),
    });
    match modality {
        None => request.fault_of("code", "must hold one modality, or those of one machine: PT and CT"),
        Some(None) => request.fault_of("code", format!("must hold a modality: a coding of {DCM}")),
        Some(Some(_)) => (),
    }
    let modality = modality.flatten();

    let own = what_in_words(modality.map(Modality::code), body_part.map(Line::as_str));
    let mut more: Vec<String> = Vec::new();
    for (text, codings) in said {
        // Whatever this service has no word for is OT, and OT is a word as well.
        let understood = |coding: &&Coding<'_>| {
            machine(coding).is_some_and(|one| one != Modality::Other || coding.code == Some(one.code()))
        };
        let shown = |text: &&str| codings.iter().any(|coding| coding.display == Some(*text));
        let text = text.filter(|text| *text != own && !shown(text)).map(str::to_owned);
        let others = codings.iter().filter(|coding| !understood(coding)).filter_map(coding_in_words);
        for line in text.into_iter().chain(others) {
            if !more.contains(&line) {
                more.push(line);
            }
        }
    }
    (modality, more)
}

/// The modality that a coding names. Numbers are what DICOM calls everything else by (PS3.16 annex D).
fn machine(coding: &Coding<'_>) -> Option<Modality> {
    let code =
        coding.code.filter(|code| coding.system == Some(DCM) && !code.starts_with(char::is_numeric))?;
    // A code of ours that DICOM does not have, from a client that reads our own documents.
    Some(code.parse().unwrap_or_else(|_| Modality::from_dicom(code)))
}

/// The machine that is both, if there is one.
fn joined(one: Modality, other: Modality) -> Option<Modality> {
    let is_of_pet_ct = |modality| {
        matches!(modality, Modality::PositronEmission | Modality::ComputedTomography | Modality::PetCt)
    };
    if one == other {
        return Some(one);
    }
    (is_of_pet_ct(one) && is_of_pet_ct(other)).then_some(Modality::PetCt)
}

/// A coding as a person reads it, and as another system finds it again.
fn coding_in_words(coding: &Coding<'_>) -> Option<String> {
    let code = match (coding.system, coding.code) {
        (Some(system), Some(code)) => Some(format!("{system}|{code}")),
        (None, Some(code)) => Some(code.to_owned()),
        (_, None) => None,
    };
    match (coding.display, code) {
        (Some(display), Some(code)) => Some(format!("{display} ({code})")),
        (Some(display), None) => Some(display.to_owned()),
        (None, code) => code,
    }
}

/// What is to be done, as this service writes it.
fn what_in_words(modality: Option<&str>, body_part: Option<&str>) -> String {
    let modality = modality.map(|modality| modality.replace('_', "/"));
    let what: Vec<String> = modality.into_iter().chain(body_part.map(words)).collect();
    what.join(" ")
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
        let said = |name| words_of(order, name);
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
        let placers = self.reference_to_placers_order(order);
        let reason = said("clinicalIndication");
        self.resource(
            "ServiceRequest",
            order,
            json!({
                "identifier": self.identifiers_of_order(order),
                "basedOn": [placers],
                "status": status,
                "intent": if placers.is_null() { "order" } else { "filler-order" },
                "category": [{"coding": [
                    {"system": "http://snomed.info/sct", "code": "363679005", "display": "Imaging"},
                ]}],
                "priority": priority,
                "code": {
                    "coding": codings_of(modality),
                    "text": what_in_words(modality, text(order, "bodyPart")),
                },
                "subject": self.theirs("Patient", System::Patient, text(order, "patientId")),
                "occurrenceDateTime": day_or_moment(order, "scheduledAt"),
                "authoredOn": text(order, "requestedAt"),
                "requester": self.theirs("Practitioner", System::Practitioner, text(order, "providerId")),
                "locationReference": [self.theirs("Location", System::Location, text(order, "facilityId"))],
                "reasonCode": [{"text": reason}],
                "bodySite": [{"text": said("bodyPart")}],
                "note": [{"text": said("instructions")}],
            }),
        )
    }

    /// How the state of an order is sent. The placer's own request is the placer's, and never overwritten: what is sent is
    /// what this service makes of it.
    pub fn update_of_order(self, order: &Value) -> Option<Update> {
        Self::update(self.service_request(order))
    }

    /// What an order is known by. Elsewhere the placer's identifiers are those of the placer's own request, on which this
    /// one is based; here there is one order.
    fn identifiers_of_order(self, order: &Value) -> Vec<Value> {
        let placers = if self.here { placers_identifiers(order).collect() } else { Vec::new() };
        let number = text(order, "orderNumber").map(|number| self.identifier(System::OrderNumber, number));
        let accession =
            text(order, "accessionNumber").map(|number| self.identifier(System::AccessionNumber, number));
        placers.into_iter().chain(number).chain(accession).collect()
    }

    /// Elsewhere, a reference to the request by which the order was placed.
    fn reference_to_placers_order(self, order: &Value) -> Value {
        let known = placers_identifiers(order).next().filter(|_| !self.here);
        self.ours("ServiceRequest", None, known.unwrap_or_default())
    }

    /// References to an order, each by the first that it is known by: the placer's request, and what this service makes of it.
    pub(super) fn references_to_order(self, order: Option<&Value>) -> [Value; 2] {
        let Some(order) = order.filter(|order| order.is_object()) else { return [Value::Null, Value::Null] };
        let known = self.identifiers_of_order(order).into_iter().next().unwrap_or_default();
        [self.reference_to_placers_order(order), self.ours("ServiceRequest", text(order, "id"), known)]
    }
}

/// What whoever placed an order calls it.
fn placers_identifiers(order: &Value) -> impl Iterator<Item = Value> {
    let given = order.get("identifiers").and_then(Value::as_array).into_iter().flatten();
    given.map(|known| json!({"system": text(known, "system"), "value": words_of(known, "value")}))
}
