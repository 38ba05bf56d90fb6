//! Reading and writing of the primitives of payloads. Reads return `None` where the bytes end too soon.

/// The bytes that are left to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Reads a one-byte length and that many bytes.
    pub(super) fn short(&mut self) -> Option<&'a [u8]> {
        let count = self.u8()?;
        self.take(count.into())
    }

    /// Reads a four-byte length and that many bytes.
    pub(super) fn long(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.u32()?).ok()?;
        self.take(count)
    }

    /// Reads a one-byte length and a name, which is validated.
    pub(super) fn name<T: std::str::FromStr>(&mut self) -> Option<T> {
        std::str::from_utf8(self.short()?).ok()?.parse().ok()
    }
}

/// Writes a one-byte length and bytes. Names have at most 128 bytes, so none is truncated.
pub(super) fn put_short(buffer: &mut Vec<u8>, bytes: &[u8]) {
    let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    buffer.push(length);
    buffer.extend_from_slice(bytes.get(..length.into()).unwrap_or(bytes));
}

/// Writes a four-byte length and the bytes that `write` appends.
pub(super) fn put_long(buffer: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = buffer.len();
    buffer.extend_from_slice(&[0; 4]);
    write(buffer);
    let length = u32::try_from(buffer.len() - at - 4).unwrap_or(u32::MAX);
    if let Some(place) = buffer.get_mut(at..at + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}
