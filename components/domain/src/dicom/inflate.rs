//! The deflated transfer syntax (PS3.5 A.5): all of the data set, pixels too, is one compressed stream.

use flate2::{Decompress, FlushDecompress, Status};

use super::reason::Reason;

/// How much a stream may hold. Deflate packs up to a thousand bytes into one, so a file within its own limit
/// could grow to gigabytes.
const INFLATED_LIMIT: u64 = 64 << 20;

const CHUNK: usize = 32 << 10;

pub(super) struct Inflater<'a> {
    stream: Decompress,
    compressed: &'a [u8],
    inflated: Vec<u8>,
    finished: bool,
}

impl<'a> Inflater<'a> {
    pub(super) fn new(compressed: &'a [u8]) -> Self {
        Self { stream: Decompress::new(false), compressed, inflated: Vec::new(), finished: false }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.inflated
    }

    pub(super) const fn is_finished(&self) -> bool {
        self.finished
    }

    /// Inflate until `length` bytes are there, or all of them.
    pub(super) fn fill(&mut self, length: usize) -> Result<(), Reason> {
        let mut chunk = vec![0; CHUNK];
        while !self.finished && self.inflated.len() < length {
            let inflated = self.step(&mut chunk)?;
            self.inflated.extend_from_slice(chunk.get(..inflated).unwrap_or_default());
        }
        Ok(())
    }

    /// Inflate what is left without keeping it, and say how long all of it is.
    pub(super) fn finish(&mut self) -> Result<u64, Reason> {
        let mut chunk = vec![0; CHUNK];
        while !self.finished {
            self.step(&mut chunk)?;
        }
        Ok(self.stream.total_out())
    }

    fn step(&mut self, chunk: &mut [u8]) -> Result<usize, Reason> {
        let (read, written) = (self.stream.total_in(), self.stream.total_out());
        let status = self.stream.decompress(self.compressed, chunk, FlushDecompress::None);
        let status = status.map_err(|_| Reason::CorruptDeflate)?;
        let read = self.stream.total_in() - read;
        let written = self.stream.total_out() - written;
        self.compressed = self.compressed.get(read as usize..).unwrap_or_default();
        self.finished = status == Status::StreamEnd;
        if self.stream.total_out() > INFLATED_LIMIT {
            return Err(Reason::Bomb);
        }
        if !self.finished && read == 0 && written == 0 {
            return Err(Reason::Truncated);
        }
        Ok(written as usize)
    }
}
