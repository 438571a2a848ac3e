"""What schemathesis cannot read out of the document: who asks, what is there, and what no schema can say."""

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
    "admin": r"CriticalResultsSettings$",
    "auditor": r"^listAuditEvents$",
}


def role_for(operation):
    if GIVEN["role"] != "everybody":
        return GIVEN["role"]
    name = operation.definition.raw["operationId"]
    return next((role for role, names in WHO.items() if re.search(names, name)), "service")


@schemathesis.auth(refresh_interval=None)
class Proof:
    """A token for whoever asks, and the event key for a machine."""

    def get(self, case, context):
        security = case.operation.definition.raw.get("security")
        if security is None:
            return {"Authorization": f"Bearer {GIVEN['tokens'][role_for(case.operation)]}"}
        return {"x-event-key": GIVEN["eventKey"]} if security else {}

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), **data}


# Times of the years that the document names, in which people live; the format alone would let in the year 0.
DAYS = strategies.dates(date(1800, 1, 1), date(9999, 12, 31))
OFFSETS = strategies.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = strategies.datetimes(datetime(1800, 1, 2), datetime(9999, 12, 30), timezones=OFFSETS)

schemathesis.openapi.format("date", DAYS.map(date.isoformat))
schemathesis.openapi.format("date-time", MOMENTS.map(datetime.isoformat))


def is_uuid(value):
    try:
        return isinstance(value, str) and bool(UUID(value))
    except ValueError:
        return False


def known(name, value):
    """Two times in three, an id that is there in the place of one that is nobody's."""
    ids = GIVEN["ids"].get(name, [])
    drawn = zlib.crc32(f"{name}{value}".encode())
    return ids[drawn // 3 % len(ids)] if ids and drawn % 3 else value


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if not path_parameters:
        return path_parameters
    return {
        name: known(name, value) if is_uuid(value) or name in ("patientId", "radiologistId") and value else value
        for name, value in path_parameters.items()
    }


@schemathesis.hook
def map_body(context, body):
    """Puts in ids that are there, where one of the right form stands; what is wrong with a body stays wrong."""
    if not isinstance(body, dict):
        return body
    name = context.operation.definition.raw["operationId"]
    for field in ("orderId", "studyId", "reportId"):
        if is_uuid(body.get(field)):
            body = {**body, field: known(f"{name}.{field}", body[field])}
    if name == "registerImage":
        # Beside the path it may be sent out of habit, and is then the same: no schema can say so.
        body = {field: value for field, value in body.items() if field != "studyId" or not is_uuid(value)}
    for field, fit in GIVEN["fit"].get(name, {}).items():
        # Of the order that is there, of the radiologist who asks: half the time what fits.
        if isinstance(body.get(field), str) and 0 < len(body[field]) <= 64 and zlib.crc32(repr(body).encode()) % 2:
            body = {**body, field: fit}
    return body


# Why a body that fits its schema may be refused with 422 all the same: the fault's field, and how its message begins.
REFUSED_BY_STATE = {
    "placeOrder": [],
    "changeOrder": [("reason", "is required for this step")],
    "cancelOrder": [("reason", "is required for this step")],
    "registerStudy": [
        ("orderId", "is not an order of this organization"),
        ("patientId", "is not the patient of the order"),
        ("modality", "is not the modality of the order"),
    ],
    "changeStudy": [("reason", "is required for this step")],
    "moveStudy": [("reason", "is required for this step")],
    "registerImage": [("storageUrl", "is not an upload of this organization that still waits")],
    "annotateImage": [("metadata.", "was read from the DICOM file"), ("metadata", "would be more than 256 KiB")],
    "writeReport": [("studyId", "is not a study of this organization")],
    "amendReport": [("status", "must be ")],
    "raiseFinding": [
        ("studyId", "is not a study of this organization"),
        ("reportId", "is not a report of this study"),
    ],
    "acknowledgeFinding": [("readBack", "is required for a finding that is")],
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
