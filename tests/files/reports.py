"""Write structured reports with highdicom, and write down what pydicom finds in them.

Public packages carry hardly any reports that state something to act on, so another implementation than ours writes them
and a third reads them: reports.json is what our own reader is measured against. To make them anew, where highdicom is
installed (0.28.2 wrote those that are here):

    python3 tests/files/reports.py

dcmtk's dsrdump reads each of them too, and holds their content to the rules of their SOP class.
"""

import json
import pathlib

import highdicom
import numpy
import pydicom
from highdicom import UID
from highdicom import sr
from pydicom.data import get_testdata_file
from pydicom.sr.codedict import codes

FOLDER = pathlib.Path(__file__).with_name("reports")
IMAGE = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
IS_PART = sr.RelationshipTypeValues


def code(value, scheme, meaning):
    return sr.CodedConcept(value=value, scheme_designator=scheme, meaning=meaning)


def dcm(value, meaning):
    return code(value, "DCM", meaning)


HEMORRHAGE = code("1386000", "SCT", "Intracranial hemorrhage")
PNEUMOTHORAX = code("36118008", "SCT", "Pneumothorax")
NODULE = code("27925004", "SCT", "Nodule")
MASS = code("129793001", "SCT", "Mammographic breast mass")
PERCENT = code("%", "UCUM", "Percent")
CATEGORIES = [
    code("RID50261", "RADLEX", "Non-actionable"),
    code("RID49480", "RADLEX", "ACR Category 1 Actionable Finding"),
    code("RID49481", "RADLEX", "ACR Category 2 Actionable Finding"),
    code("RID49482", "RADLEX", "ACR Category 3 Actionable Finding"),
]
SHOWN = dcm("111150", "Presentation Required: Rendering device is expected to present")
OPTIONAL = dcm("111151", "Presentation Optional: Rendering device may present")
HIDDEN = dcm("111152", "Not for Presentation: Rendering device expected not to present")

PERSON = sr.ObservationContext(
    observer_person_context=sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(name="Doe^Jane"),
    )
)
DEVICE = sr.ObservationContext(
    observer_device_context=sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=UID(), name="BleedDetect", manufacturer_name="Acme"
        ),
    )
)


def container(name, children, relationship=IS_PART.CONTAINS, template=None):
    item = sr.ContainerContentItem(name=name, relationship_type=relationship, template_id=template)
    item.ContentSequence = children
    return item


def coded(name, value, relationship=IS_PART.CONTAINS, children=()):
    item = sr.CodeContentItem(name=name, value=value, relationship_type=relationship)
    if children:
        item.ContentSequence = children
    return item


def text(name, value, relationship=IS_PART.CONTAINS, children=()):
    item = sr.TextContentItem(name=name, value=value, relationship_type=relationship)
    if children:
        item.ContentSequence = children
    return item


def percent(name, value):
    return sr.NumContentItem(name=name, value=value, unit=PERCENT, relationship_type=IS_PART.HAS_PROPERTIES)


def write(name, content, kind=sr.ComprehensiveSR, sop_class=None, complete=True, verified=False, character_set=None):
    verifying = {"verifying_observer_name": "Doe^Jane", "verifying_organization": "Acme Hospital"} if verified else {}
    report = kind(
        evidence=[IMAGE],
        content=content,
        series_instance_uid=UID(),
        series_number=9,
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer="Acme Imaging",
        is_complete=complete,
        is_verified=verified,
        **verifying,
    )
    if character_set:
        report.SpecificCharacterSet = character_set
    if sop_class:
        report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = sop_class
    report.save_as(FOLDER / f"{name}.dcm", enforce_file_format=True)


def group(finding, number=9, category=None, site=None, evaluations=(), algorithm=None, certainty=None, region=False):
    """A measurement group of TID 1500."""
    common = {
        "tracking_identifier": sr.TrackingIdentifier(uid=UID(f"1.2.3.{number}"), identifier=f"Lesion {number}"),
        "finding_type": finding,
        "finding_category": category,
        "algorithm_id": algorithm,
        "finding_sites": [sr.FindingSite(anatomic_location=site)] if site else None,
        "qualitative_evaluations": list(evaluations),
        "measurements": [
            sr.Measurement(name=dcm("111012", "Certainty of Finding"), value=certainty, unit=PERCENT)
        ] if certainty else [],
    }
    if not region:
        source = sr.SourceImageForMeasurementGroup.from_source_image(IMAGE)
        return sr.MeasurementsAndQualitativeEvaluations(source_images=[source], **common)
    outline = sr.ImageRegion(
        graphic_type=sr.GraphicTypeValues.POLYLINE,
        graphic_data=numpy.array([[1.0, 1.0], [5.0, 1.0], [5.0, 5.0], [1.0, 1.0]]),
        source_image=sr.SourceImageForRegion.from_source_image(IMAGE),
    )
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=outline, **common)


def write_measurements(name, groups, observer=PERSON, **options):
    content = sr.MeasurementReport(
        observation_context=observer,
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    write(name, content, **options)


def mark(kind, intent, **scores):
    """A single image finding of a computer-aided detection."""
    names = {"certainty": dcm("111012", "Certainty of Finding"), "cancer": dcm("111047", "Probability of cancer")}
    source = sr.ImageContentItem(
        name=dcm("111040", "Original Source"),
        referenced_sop_class_uid=IMAGE.SOPClassUID,
        referenced_sop_instance_uid=IMAGE.SOPInstanceUID,
        relationship_type=IS_PART.SELECTED_FROM,
    )
    center = sr.ScoordContentItem(
        name=dcm("111010", "Center"),
        graphic_type=sr.GraphicTypeValues.POINT,
        graphic_data=numpy.array([[5.0, 5.0]]),
        relationship_type=IS_PART.HAS_PROPERTIES,
    )
    center.ContentSequence = [source]
    children = [
        coded(dcm("111056", "Rendering Intent"), intent, IS_PART.HAS_CONCEPT_MOD),
        text(dcm("111001", "Algorithm Name"), "MarkMass", IS_PART.HAS_OBS_CONTEXT),
        text(dcm("111003", "Algorithm Version"), "3.0", IS_PART.HAS_OBS_CONTEXT),
        *(percent(names[score], value) for score, value in scores.items()),
        center,
    ]
    return coded(dcm("111059", "Single Image Finding"), kind, children=children)


def write_cad(name, number, title, outcome, marks=()):
    intent = coded(dcm("111056", "Rendering Intent"), SHOWN, IS_PART.HAS_CONCEPT_MOD)
    impression = container(
        dcm("111034", "Individual Impression/Recommendation"), [intent, *marks], IS_PART.INFERRED_FROM
    )
    summary = coded(
        dcm("111017", "CAD Processing and Findings Summary"), outcome, children=[impression] if marks else ()
    )
    detections = coded(dcm("111064", "Summary of Detections"), dcm("111222", "Succeeded"))
    write(name, container(title, [summary, detections], None), sop_class=f"1.2.840.10008.5.1.4.1.1.88.{number}")


def write_all():
    algorithm = sr.AlgorithmIdentification(name="BleedDetect", version="2.1", manufacturer="Acme")
    absent = sr.QualitativeEvaluation(
        name=code("705057003", "SCT", "Presence"), value=code("272519000", "SCT", "Absent")
    )
    brain = code("12738006", "SCT", "Brain")
    write_measurements(
        "hemorrhage-found-by-software",
        [group(HEMORRHAGE, 9, CATEGORIES[1], brain, algorithm=algorithm, certainty=87.5, region=True)],
        DEVICE,
    )
    write_measurements(
        "hemorrhage-absent", [group(HEMORRHAGE, evaluations=[absent], algorithm=algorithm, certainty=3)], DEVICE
    )
    write_measurements(
        "every-category",
        [group(NODULE, number, category) for number, category in enumerate(CATEGORIES)],
        verified=True,
    )
    write_measurements(
        "partial", [group(PNEUMOTHORAX), group(PNEUMOTHORAX, region=True), group(NODULE, 10)], complete=False
    )
    old = code("D3-40230", "SRT", "Pulmonary embolism")
    write_measurements("embolism-in-older-code", [group(old)], kind=sr.Comprehensive3DSR)

    finding = text(
        codes.DCM.Finding,
        "Großer linksseitiger Pneumothorax",
        children=[coded(code("276214006", "SCT", "Finding category"), CATEGORIES[2], IS_PART.HAS_PROPERTIES)],
    )
    told = text(codes.DCM.Comment, "Dr. Doe um 10:05 angerufen")
    sections = [
        container(code("59776-5", "LN", "Findings"), [finding]),
        container(code("73568-8", "LN", "Communication of Critical Results"), [told]),
    ]
    diagnostic = container(code("18748-4", "LN", "Diagnostic imaging report"), sections, None, "2000")
    write("category-of-a-text", diagnostic, sr.EnhancedSR, character_set="ISO_IR 100")

    breast, chest, colon = (
        dcm("111036", "Mammography CAD Report"),
        dcm("112000", "Chest CAD Report"),
        dcm("112220", "Colon CAD Report"),
    )
    with_findings = dcm("111242", "All algorithms succeeded; with findings")
    likely = ((SHOWN, 92), (OPTIONAL, 95), (HIDDEN, 99), (SHOWN, 40))
    marks = [mark(MASS, intent, cancer=score) for intent, score in likely]
    write_cad("breast-cad", 50, breast, with_findings, marks)
    write_cad("breast-cad-nothing", 50, breast, dcm("111241", "All algorithms succeeded; without findings"))
    write_cad("breast-cad-failed", 50, breast, dcm("111245", "No algorithms succeeded; without findings"))
    partly = dcm("111244", "Not all algorithms succeeded; with findings")
    marks = [mark(kind, SHOWN, certainty=score) for kind, score in ((NODULE, 81), (PNEUMOTHORAX, 99))]
    write_cad("chest-cad", 65, chest, partly, marks)
    write_cad("colon-cad", 69, colon, with_findings, [mark(code("85057007", "SCT", "Polyp"), SHOWN)])

    for name, syntax in (("implicit", ""), ("big-endian", ".2"), ("deflated", ".1.99")):
        report = pydicom.dcmread(FOLDER / "every-category.dcm")
        report.file_meta.TransferSyntaxUID = f"1.2.840.10008.1.2{syntax}"
        is_implicit, is_little = name == "implicit", name != "big-endian"
        path = FOLDER / f"every-category-{name}.dcm"
        pydicom.dcmwrite(path, report, implicit_vr=is_implicit, little_endian=is_little, enforce_file_format=True)


def items(item, path="1", within=()):
    """Every content item with where it is and what it is in."""
    yield path, item, within
    for number, child in enumerate(item.get("ContentSequence", []), 1):
        yield from items(child, f"{path}.{number}", (*within, item))


def name_of(item):
    names = item.get("ConceptNameCodeSequence")
    return names[0].CodeValue if names else None


def value_of(item):
    match item.get("ValueType"):
        case "CODE":
            return item.ConceptCodeSequence[0].CodeValue
        case "TEXT":
            return item.TextValue
        case "NUM":
            return float(item.MeasuredValueSequence[0].NumericValue)
        case "UIDREF":
            return item.UID


def said(item, name):
    return next((value_of(child) for child in item.get("ContentSequence", []) if name_of(child) == name), None)


def statement(path, item, holder, kind):
    """What is stated by an item, as its template says: in the holder's children."""
    images = [child for _, child, _ in items(holder) if child.get("ValueType") == "IMAGE"]
    score = [said(holder, name) for name in ("111012", "111047")]
    return {
        "kind": kind,
        "path": path,
        "finding": value_of(item) if item.ValueType == "CODE" else None,
        "category": said(holder, "276214006"),
        "site": said(holder, "363698007"),
        "trackingUID": said(holder, "112040"),
        "algorithm": [said(holder, name) for name in ("111001", "111003")],
        "score": next((each for each in score if each is not None), None),
        "images": sorted({image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for image in images}),
        "isAbsent": "272519000" in [value_of(child) for child in holder.get("ContentSequence", [])],
    }


def facts(path):
    report = pydicom.dcmread(path)
    statements = []
    for place, item, within in items(report):
        if name_of(item) == "121071" and item.ValueType == "CODE" and name_of(within[-1]) == "125007":
            statements.append(statement(place, item, within[-1], "FINDING"))
        if item.get("ValueType") == "TEXT" and said(item, "276214006"):
            statements.append(statement(place, item, item, "CATEGORY"))
        summaries = [value_of(each) for each in within if name_of(each) == "111017"]
        if name_of(item) == "111059" and said(item, "111056") == "111150" and summaries[:1] in (["111242"], ["111244"]):
            statements.append(statement(place, item, item, "MARK"))
    summaries = [value_of(item) for _, item, _ in items(report) if name_of(item) == "111017"]
    told = [value_of(item) for _, item, within in items(report) if "73568-8" in map(name_of, within)]
    return {
        "sopClassUID": report.SOPClassUID,
        "sopInstanceUID": report.SOPInstanceUID,
        "title": report.ConceptNameCodeSequence[0].CodeMeaning,
        "completion": report.CompletionFlag,
        "verification": report.VerificationFlag,
        "cadSummary": next(iter(summaries), None),
        "communication": "; ".join(told) or None,
        "statements": statements,
    }


def main():
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.dcm"):
        old.unlink()
    write_all()
    reports = {path.stem: facts(path) for path in sorted(FOLDER.glob("*.dcm"))}
    rows = (f"{json.dumps(name)}: {json.dumps(report, ensure_ascii=False)}" for name, report in reports.items())
    FOLDER.with_suffix(".json").write_text("{\n" + ",\n".join(rows) + "\n}\n", "utf-8")


main()
