"""What schemathesis cannot read out of the document: who asks, what is there, and what no schema can say."""

import itertools
import json
import os
import re
import zlib
from datetime import date, datetime, timedelta, timezone
from uuid import UUID

import schemathesis
from hypothesis import strategies
from schemathesis.core.failures import Failure

# The tokens by role, the event key, and the ids of things that are there, by the name of the parameter.
GIVEN = json.loads(os.environ["CONTRACT"])

# Who asks, in the run in which everybody takes part: the first whose operations these are; the rest is the service's.
WHO = {
    "provider": r"^(acknowledge|decline|followUp)Finding$",
    "radiologist": r"Report|^deleteImage$",
    "admin": r"CriticalResultsSettings$|FindingRules$|Deliver(y|ies)$",
    "auditor": r"^listAuditEvents$",
}


def name_of(case):
    return case.operation.definition.raw["operationId"]


def role_for(case):
    if GIVEN["role"] != "everybody":
        return GIVEN["role"]
    # Who breaks the glass has to be one of two.
    if "x-break-glass" in (case.headers or {}):
        return "radiologist"
    return next((role for role, names in WHO.items() if re.search(names, name_of(case))), "service")


@schemathesis.auth(refresh_interval=None)
class Proof:
    """A token for whoever asks, and the event key for a machine."""

    def get(self, case, context):
        security = case.operation.definition.raw.get("security")
        if security is None:
            return {"Authorization": f"Bearer {GIVEN['tokens'][role_for(case)]}"}
        return {"x-event-key": GIVEN["eventKey"]} if security else {}

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), **data}


# Times of the years that the document names, in which people live; the format alone would let in the year 0.
DAYS = strategies.dates(date(1800, 1, 1), date(9999, 12, 31))
OFFSETS = strategies.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = strategies.datetimes(datetime(1800, 1, 2), datetime(9999, 12, 30), timezones=OFFSETS)

schemathesis.openapi.format("date", DAYS.map(date.isoformat))
schemathesis.openapi.format("date-time", MOMENTS.map(datetime.isoformat))


# The ids in the document's examples, and those that replies have told of: a link leads to these.
EXAMPLES = {f"019a3b1c-7e00-7abc-8def-00000000000{digit}" for digit in "123456789ab"}
TOLD = set()
COUNT = itertools.count()


@schemathesis.hook
def after_call(context, case, response):
    TOLD.update(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", response.text))


def is_uuid(value):
    try:
        return isinstance(value, str) and bool(UUID(value))
    except ValueError:
        return False


def drawn(value, of):
    """A number below another, always the same for a value, so that a run can be repeated."""
    return zlib.crc32(repr(value).encode()) % of


def known(name, value):
    """Mostly an id that is there, in the place of one that is nobody's."""
    ids = GIVEN["ids"].get(name, [])
    if not ids or is_uuid(value) and value not in EXAMPLES and (value in TOLD or drawn(value, 8) == 0):
        return value
    return ids[(drawn(value, 97) + next(COUNT)) % len(ids)]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Fits a request to what is there. What is wrong with it stays wrong."""
    fits = case.meta is not None and case.meta.generation.mode.is_positive
    if fits and case.headers:
        fit_headers(case)
    if isinstance(case.path_parameters, dict):
        for name, value in case.path_parameters.items():
            # What fits and is no id: / tells of /api/images/{id}, and that is taken for a link.
            if is_uuid(value) or fits and name in GIVEN["ids"]:
                case.path_parameters[name] = known(name, value)
    if isinstance(case.body, dict):
        case.body = fit_body(name_of(case), case.body, fits)


def fit_headers(case):
    # Coverage makes headers of letters and digits alone, and an empty one where these do not fit, as in an ETag.
    if case.headers.get("If-Match") == "":
        del case.headers["If-Match"]
    # The example's key, with another body each time, would be refused each time but the first.
    if case.headers.get("Idempotency-Key"):
        case.headers["Idempotency-Key"] = f"{next(COUNT)}-{case.headers['Idempotency-Key']}"[:255]


def fit_body(operation, body, fits):
    # Of what the seed makes, before it holds ids, which are others in each run.
    chance = drawn(body, 8)
    body = {field: known(f"{operation}.{field}", value) if is_uuid(value) else value for field, value in body.items()}
    if fits and operation == "registerImage" and chance % 4:
        # What is sent out of habit has to be what the path says, and no blob is there by chance. Each image is another.
        body = {field: value for field, value in body.items() if field not in ("studyId", "storageUrl")}
        body["sopInstanceUID"] = f"1.2.4.{next(COUNT)}"
    if not fits:
        return {field: too_long(value) if isinstance(value, str) else value for field, value in body.items()}
    for field, fit in GIVEN["fit"].get(operation, {}).items():
        # Mostly of the order that is there, and of the radiologist who asks.
        if chance:
            body[field] = fit
    return body


def too_long(text):
    """A text that is too long stays it where the service leaves out the space around it before it counts."""
    inner = text.strip()
    return f"{'x' * (len(text) - len(inner))}{inner}" if inner and len(text) > 16 else text


# Why a body that fits its schema may be refused with 422 all the same: the fault's field, and how its message begins.
REFUSED_BY_STATE = {
    "changeOrder": [("reason", "is required for this step")],
    "cancelOrder": [("reason", "is required for this step")],
    "registerStudy": [
        ("orderId", "is not an order of this organization"),
        ("patientId", "is not the patient of the order"),
        ("modality", "is not the modality of the order"),
        # Where no health record can be asked for it.
        ("patientName", "is required"),
    ],
    "changeStudy": [("reason", "is required for this step")],
    "moveStudy": [("reason", "is required for this step")],
    "resolveIngest": [("studyId", "is not a study of this organization")],
    "registerImage": [
        ("studyId", "must be "),
        ("storageUrl", "is not an upload of this organization that still waits"),
    ],
    "annotateImage": [("metadata.", "was read from the DICOM file"), ("metadata", "would be more than 256 KiB")],
    "writeReport": [("studyId", "is not a study of this organization")],
    "amendReport": [("status", "must be ")],
    "raiseFinding": [
        ("studyId", "is not a study of this organization"),
        ("reportId", "is not a report of this study"),
    ],
    "acknowledgeFinding": [("readBack", "is required for a finding that is")],
    "receiveBlobEvents": [("topic", "must be the storage account"), ("data.validationCode", "is required")],
    "changeFindingRules": [("rules[", "is another rule's")],
    "tryFindingRules": [("rules[", "is another rule's"), ("imageId", "is not a ")],
    "changeCriticalResultsSettings": [
        ("severities.", "must be less than acknowledgeWithinMinutes"),
        ("severities.", "must come one after the other"),
        ("severities.", "must begin by the time"),
    ],
}


@schemathesis.check
def refused_with_good_reason(context, response, case):
    """422 for a request that fits the document is only for what the state of things decides."""
    if response.status_code != 422 or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.headers["content-type"] == ["application/fhir+json"]:
        # What a resource has to hold, R4 says and not this document.
        return
    answer = response.json()
    if answer["code"] == "idempotency_key_reused":
        return
    reasons = REFUSED_BY_STATE.get(case.operation.definition.raw["operationId"], [])
    for fault in answer["errors"]:
        if not any(fault["field"].startswith(field) and fault["message"].startswith(why) for field, why in reasons):
            raise Failure(
                operation=case.operation.label,
                title="A request that fits the document was refused",
                message=f"{fault['field']} {fault['message']}",
            )
