//! Why a file is not taken in.

use thiserror::Error;

/// What reading a header can end in, other than a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// The bytes at hand end too early and the blob has more.
    ///
    /// From [`read_header`](super::read_header): the shortest prefix that can take it further, never more
    /// than the blob's size. A prefix of twice the last length, or this if it is more, keeps the number of
    /// requests small. From [`Header::complete`](super::Header::complete): the length of the tail it wants to
    /// see.
    #[error("needs at least {at_least} bytes of the file")]
    NeedMore { at_least: u64 },
    /// More bytes will not help.
    #[error(transparent)]
    Refused(#[from] Reason),
}

/// A verdict on a file that stands however often it is read. The sentence is for a person and holds nothing
/// from the file; [`code`](Self::code) is stable and is what a record of it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Reason {
    #[error("The file is empty.")]
    Empty,
    #[error("The file was not sent as a block blob, or is a copy of another.")]
    NotABlockBlob,
    #[error("The file is larger than what storage takes in one piece.")]
    TooLarge,
    #[error(
        "The file is not DICOM: it has neither the DICM prefix nor a data set that starts as an image's does."
    )]
    NotDicom,
    #[error("The file's preamble holds an executable program.")]
    Polyglot,
    #[error("The file is the index of a set of files (DICOMDIR), not an image.")]
    Directory,
    #[error("The file is cut off: it ends before the data that it declares.")]
    Truncated,
    #[error("Sequences are nested more than {} levels deep.", super::walk::DEPTH_LIMIT)]
    TooDeep,
    #[error("The header goes on for more than {} MiB.", super::HEADER_LIMIT >> 20)]
    TooLong,
    #[error("The header has more than {} elements.", super::walk::ELEMENT_LIMIT)]
    TooManyElements,
    #[error("The compressed data set grows out of proportion when it is inflated.")]
    Bomb,
    #[error("The compressed data set cannot be inflated.")]
    CorruptDeflate,
    #[error("An element's declared length goes beyond the sequence or item that it is in.")]
    BadLength,
    #[error("A sequence is malformed: something other than an item stands where an item must be.")]
    BadSequence,
    #[error("The elements are not in ascending order, or one is there twice.")]
    OutOfOrder,
    #[error("The data set has no SOP Class UID.")]
    MissingSopClassUid,
    #[error("The data set has no SOP Instance UID.")]
    MissingSopInstanceUid,
    #[error("The data set has no Study Instance UID.")]
    MissingStudyInstanceUid,
    #[error("The data set has no Series Instance UID.")]
    MissingSeriesInstanceUid,
    #[error("The SOP Class UID is not a UID.")]
    InvalidSopClassUid,
    #[error("The SOP Instance UID is not a UID.")]
    InvalidSopInstanceUid,
    #[error("The Study Instance UID is not a UID.")]
    InvalidStudyInstanceUid,
    #[error("The Series Instance UID is not a UID.")]
    InvalidSeriesInstanceUid,
}

impl Reason {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotABlockBlob => "not_a_block_blob",
            Self::TooLarge => "too_large",
            Self::NotDicom => "not_dicom",
            Self::Polyglot => "polyglot",
            Self::Directory => "directory",
            Self::Truncated => "truncated",
            Self::TooDeep => "too_deep",
            Self::TooLong => "too_long",
            Self::TooManyElements => "too_many_elements",
            Self::Bomb => "bomb",
            Self::CorruptDeflate => "corrupt_deflate",
            Self::BadLength => "bad_length",
            Self::BadSequence => "bad_sequence",
            Self::OutOfOrder => "out_of_order",
            Self::MissingSopClassUid => "missing_sop_class_uid",
            Self::MissingSopInstanceUid => "missing_sop_instance_uid",
            Self::MissingStudyInstanceUid => "missing_study_instance_uid",
            Self::MissingSeriesInstanceUid => "missing_series_instance_uid",
            Self::InvalidSopClassUid => "invalid_sop_class_uid",
            Self::InvalidSopInstanceUid => "invalid_sop_instance_uid",
            Self::InvalidStudyInstanceUid => "invalid_study_instance_uid",
            Self::InvalidSeriesInstanceUid => "invalid_series_instance_uid",
        }
    }
}
