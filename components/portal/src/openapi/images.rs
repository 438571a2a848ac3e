//! `/api/images`, and the images of a study or a series

use domain::{
    Count, ImageId, Line, Modality, StudyId, Text,
    dicom::{AccessionNumber, Uid},
};
use serde_json::{Map, Value, json};

use super::{
    operation::Operation,
    schema::{
        Described, Member, Number, Time, Url, habit, list, nullable, object, one_of, optional, or_null,
        reference, required, sometimes,
    },
    shared::version,
};

pub(super) const TAG: (&str, &str) = (
    "Images",
    "One SOP instance each. Bytes go straight between client and storage, by URLs given out here.",
);

/// The members of an image that clients may announce, and that its file overrides: as a reply has them, or as a
/// request may.
fn described_image(reply: bool) -> Vec<Member> {
    let text = |name, example: &str| {
        if reply { nullable::<String>(name) } else { optional::<Line>(name) }.like(example)
    };
    let count = |name, example: u32| {
        let member = if reply { nullable::<Number>(name) } else { optional::<Count<0, 65_535>>(name) };
        member.like(example)
    };
    let number =
        |name, example: f64| if reply { nullable::<f64>(name) } else { optional::<f64>(name) }.like(example);
    vec![
        text("seriesDescription", "Lung 1.25 mm"),
        text("imageType", "ORIGINAL\\PRIMARY\\AXIAL"),
        text("photometricInterpretation", "MONOCHROME2"),
        count("rows", 512),
        count("columns", 512),
        count("bitsAllocated", 16),
        count("bitsStored", 12),
        text("pixelSpacing", "0.7\\0.7"),
        number("sliceThickness", 1.25),
        number("sliceLocation", -33.5),
        text("imagePosition", "-180\\-180\\-33.5"),
        text("imageOrientation", "1\\0\\0\\0\\1\\0"),
        text("acquisitionDate", "2026-01-02"),
        text("acquisitionTime", "07:08:09"),
        text("contentDate", "2026-01-02"),
        text("contentTime", "07:08:10"),
        number("windowCenter", -600.0),
        number("windowWidth", 1500.0),
        text("thumbnailUrl", "https://example.org/thumbnails/1.png"),
        if reply { nullable::<Number>("fileSize") } else { optional::<Number>("fileSize") }
            .like(526_336)
            .says("In bytes."),
    ]
}

/// The members of an image, in every reply that shows one.
fn image() -> Vec<Member> {
    let mut members = vec![
        required::<ImageId>("id"),
        required::<StudyId>("studyId"),
        required::<String>("seriesInstanceUID").like("1.2.826.0.1.3680043.8.498.1"),
        required::<String>("sopInstanceUID").like("1.2.826.0.1.3680043.8.498.1.1"),
        nullable::<String>("sopClassUID").like("1.2.840.10008.5.1.4.1.1.2"),
        nullable::<String>("transferSyntaxUID").like("1.2.840.10008.1.2.1"),
        required::<i32>("seriesNumber"),
        required::<i32>("instanceNumber"),
        required::<String>("storageUrl")
            .like("incoming/2026010207/019a3b1c-7e00-7abc-8def-000000000004.dcm")
            .says("The blob's name in the container."),
        sometimes("numberOfFrames", Number::schema()).like(1).says("Of a file that says so."),
        Member::new("status", one_of(&["EXPECTED", "STORED"])).says("EXPECTED until its bytes are filed."),
    ];
    members.extend(described_image(true));
    members.extend(version());
    members
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let study = object([
        required::<StudyId>("id"),
        required::<AccessionNumber>("accessionNumber"),
        nullable::<String>("patientName").like("Doe^Jane"),
        required::<Modality>("modality"),
    ]);
    let mut announced = vec![
        habit("studyId", StudyId::schema()),
        required::<Uid>("seriesInstanceUID"),
        required::<Uid>("sopInstanceUID").like("1.2.826.0.1.3680043.8.498.1.1"),
        required::<i32>("seriesNumber"),
        required::<i32>("instanceNumber"),
        optional::<Uid>("transferSyntaxUID").like("1.2.840.10008.1.2.1"),
        optional::<Text<2048>>("storageUrl")
            .like(Value::Null)
            .says("Instead of sending the bytes: an upload that has arrived, by its blob's name or URL."),
        optional::<Map<String, Value>>("metadata").says("What the file does not say."),
        habit("status", one_of(&["EXPECTED"])),
    ];
    announced.extend(described_image(false));
    vec![
        ("Image", object(image())),
        (
            "WholeImage",
            object(
                image().into_iter().chain([
                    Member::new("study", study).says("What a viewer shows of it."),
                    nullable::<Map<String, Value>>("metadata")
                        .like(json!({"00080060": {"vr": "CS", "Value": ["CT"]}, "note": "Motion artefact"}))
                        .says("The file's data set as DICOM JSON, without pixels, and what people added."),
                ]),
            ),
        ),
        ("NewImage", object(announced)),
        (
            "ImageMetadata",
            object([required::<Map<String, Value>>("metadata").says(
                "Merged into what is there; null takes a member out. What the file says cannot be changed.",
            )]),
        ),
    ]
}

pub(super) fn operations() -> Vec<Operation> {
    let one = "/api/images/{imageId}";
    let of_study = "/api/studies/{studyId}/images";
    let by_page = |operation: Operation| {
        operation
            .with("page")
            .filter::<Count<1, 1000>>("limit", "How many a page; 1,000 unless told otherwise.")
            .in_an_emergency()
            .answers(
                200,
                [
                    Member::new("images", list(reference("Image"))),
                    Member::new("pagination", reference("Pagination")),
                ],
            )
    };
    vec![
        Operation::new("post", of_study, "registerImage")
            .says(
                "Announce an image, and get the URL to send it to",
                "The bytes are then sent with `PUT`, and are filed within moments. The same image again, \
                 while nothing has arrived, is answered with a fresh URL.",
            )
            .takes(
                "NewImage",
                &json!({
                    "seriesInstanceUID": Uid::example(),
                    "sopInstanceUID": "1.2.826.0.1.3680043.8.498.1.1",
                    "seriesNumber": 1,
                    "instanceNumber": 1,
                }),
            )
            .once()
            .answers(
                201,
                [
                    Member::new("image", reference("Image")),
                    Member::new("upload", or_null(reference("Upload")))
                        .says("Null when `storageUrl` named bytes that are there."),
                ],
            )
            .tells("ETag")
            .tells("Location")
            .conflicts(&[
                ("duplicate", "the SOP instance is there already, or elsewhere"),
                ("study_cancelled", "the study is cancelled, and takes no images"),
            ])
            .leads_to("readImage", "imageId", "image/id")
            .leads_to("annotateImage", "imageId", "image/id")
            .leads_to("deleteImage", "imageId", "image/id")
            .leads_to("getImageUrl", "imageId", "image/id")
            .leads_to("listImages", "studyId", "image/studyId"),
        by_page(
            Operation::new("get", of_study, "listImages")
                .says("List a study's images", "By series number, then instance number."),
        ),
        by_page(
            Operation::new("get", "/api/studies/{studyId}/series/{seriesUID}/images", "listImagesOfSeries")
                .says("List the images of a series", "By instance number."),
        ),
        Operation::new("get", one, "readImage")
            .says("Read an image", "With its metadata.")
            .in_an_emergency()
            .answers_one("image", "WholeImage")
            .leads_to("getImageUrl", "imageId", "image/id")
            .leads_to("readStudy", "studyId", "image/studyId"),
        Operation::new("delete", one, "deleteImage")
            .says(
                "Delete an image",
                "Its blob is kept for 30 days. Once there is a report, only a radiologist may.",
            )
            .of_a_version()
            .answers_nothing()
            .conflicts(&[(
                "study_has_report",
                "the study has a report: a radiologist may delete its images",
            )]),
        Operation::new("get", "/api/images/{imageId}/url", "getImageUrl")
            .says("Get a URL to fetch an image's bytes from", "For reading only, and for a while.")
            .filter::<Count<1, 60>>("expires", "For how many minutes; 15 unless told otherwise.")
            .in_an_emergency()
            .answers(200, [required::<Url>("url"), required::<Time>("expiresAt")])
            .conflicts(&[("image_not_stored", "its bytes have not arrived yet")]),
        Operation::new("patch", "/api/images/{imageId}/metadata", "annotateImage")
            .says("Add to an image's metadata", "At most 256 KiB in all.")
            .of_a_version()
            .takes("ImageMetadata", &json!({"metadata": {"note": "Motion artefact"}}))
            .answers_one("image", "WholeImage")
            .conflicts(&[("image_busy", "others are changing it: try again")])
            .leads_to("readImage", "imageId", "image/id"),
    ]
}
