//! The header of a file, of which any beginning may be at hand.
#![no_main]

use domain::dicom::{HeaderError, METADATA_LIMIT, read_header};
use libfuzzer_sys::fuzz_target;

// Two bytes say how much of the file is at hand, two how much longer the blob is said to be; the rest is the file.
fuzz_target!(|data: &[u8]| {
    let Some(([cut, cut_too, more, more_too], file)) =
        data.split_first_chunk::<4>().map(|(head, file)| (*head, file))
    else {
        return;
    };
    let total = file.len() as u64;
    let cut = (usize::from(u16::from_le_bytes([cut, cut_too])) * (file.len() + 1)) >> 16;
    let prefix = &file[..cut];
    let whole = read_header(file, total);

    // Of a prefix that is too short the answer is that more is needed, of any longer one the same as of the whole.
    match read_header(prefix, total) {
        Err(HeaderError::NeedMore { at_least }) => assert!(at_least > cut as u64 && at_least <= total),
        answer => assert_eq!(answer, whole),
    }
    assert!(!matches!(whole, Err(HeaderError::NeedMore { .. })));

    if let Ok(header) = &whole {
        let json = header.metadata.as_json();
        assert!(json.len() <= METADATA_LIMIT && !json.contains("\\u0000"));
        serde_json::from_str::<serde_json::Value>(json).expect("metadata is JSON");
        serde_json::to_value(&header.facts).expect("facts are JSON");

        // What a tail shows to be all there is not in question when more of the end is seen.
        let tail = &file[file.len() - header.tail_length(total) as usize..];
        let complete = match header.complete(total, tail) {
            Err(HeaderError::NeedMore { at_least }) => {
                assert!(at_least > tail.len() as u64 && at_least <= total);
                header.complete(total, &file[file.len() - at_least as usize..])
            }
            answer => answer,
        };
        assert!(!matches!(complete, Err(HeaderError::NeedMore { .. })));
        if complete.is_ok() {
            assert_eq!(header.complete(total, file), Ok(()));
        }
    }

    // A blob that is longer than what there is of it, by a little or by almost anything.
    let more = u64::from(u16::from_le_bytes([more, more_too]));
    for total in [total + more, more << 48] {
        if let Ok(header) = read_header(prefix, total) {
            let _ = header.complete(total.max(cut as u64), prefix);
        }
    }
});
