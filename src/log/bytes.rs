//! Numbers, texts and tagged fields as bytes.
//!
//! Everything that is stored is a list of fields: tag, length, bytes, the first two as LEB128
//! varints. A reader skips a tag it does not know by its length, and what copies a record copies
//! unknown fields with it: that is how later releases add fields without a new format.

use thiserror::Error;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FormatError {
    /// They end too early, or a length points outside.
    #[error("the record is cut short")]
    Cut,
    /// The checksum does not fit the bytes.
    #[error("the checksum does not match")]
    Checksum,
    /// They do not begin with the mark of what was expected.
    #[error("this is not {0}")]
    Mark(&'static str),
    /// They were written in a later format.
    #[error("format {found} is newer than {known}, which this release knows")]
    Newer {
        /// The format found.
        found: u64,
        /// The newest known here.
        known: u64,
    },
    /// A field that must be there is missing.
    #[error("the field {0} is missing")]
    Missing(&'static str),
    /// A text is not UTF-8, a number is too large, or compressed bytes do not decompress.
    #[error("the field {0} is malformed")]
    Malformed(&'static str),
}

/// Appends `value` as a varint: seven bits a byte, low bits first.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number: zigzag, so that small ones of both signs are short.
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, zigzag(value));
}

/// Appends length and bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a field of bytes.
pub(crate) fn put_field(out: &mut Vec<u8>, tag: u64, bytes: &[u8]) {
    put_varint(out, tag);
    put_bytes(out, bytes);
}

/// Appends a field that holds one unsigned number.
pub(crate) fn put_number(out: &mut Vec<u8>, tag: u64, value: u64) {
    put_varint(out, tag);
    put_varint(out, varint_length(value));
    put_varint(out, value);
}

/// Appends a field that holds one signed number.
pub(crate) fn put_signed_number(out: &mut Vec<u8>, tag: u64, value: i64) {
    put_number(out, tag, zigzag(value));
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn varint_length(value: u64) -> u64 {
    u64::from((64 - (value | 1).leading_zeros()).div_ceil(7))
}

/// The varint at `at`, which moves behind it. For what is read of each event: most are one byte long.
#[expect(clippy::inline_always, reason = "optimising for size inlines nothing by itself")]
#[inline(always)]
pub(crate) fn quick_varint(bytes: &[u8], at: &mut usize) -> Result<u64, FormatError> {
    match bytes.get(*at) {
        Some(byte) if *byte < 0x80 => {
            *at += 1;
            Ok((*byte).into())
        }
        _ => long_varint(bytes, at),
    }
}

fn long_varint(bytes: &[u8], at: &mut usize) -> Result<u64, FormatError> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at).ok_or(FormatError::Cut)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(FormatError::Malformed("varint"))
}

/// Reads what the `put_` functions wrote.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn byte(&mut self) -> Result<u8, FormatError> {
        let (first, rest) = self.rest.split_first().ok_or(FormatError::Cut)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], FormatError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(FormatError::Cut)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, FormatError> {
        let mut read = 0;
        let value = long_varint(self.rest, &mut read)?;
        self.rest = self.rest.get(read..).unwrap_or_default();
        Ok(value)
    }

    pub(crate) fn signed(&mut self) -> Result<i64, FormatError> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], FormatError> {
        let length = usize::try_from(self.varint()?).map_err(|_| FormatError::Cut)?;
        self.take(length)
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Result<&'a str, FormatError> {
        text(self.bytes()?, name)
    }

    /// The next field, or none at the end.
    pub(crate) fn field(&mut self) -> Result<Option<Field<'a>>, FormatError> {
        if self.is_empty() {
            return Ok(None);
        }
        let start = self.rest;
        let tag = self.varint()?;
        let bytes = self.bytes()?;
        let raw = start
            .split_at_checked(start.len() - self.rest.len())
            .ok_or(FormatError::Cut)?
            .0;
        Ok(Some(Field { tag, bytes, raw }))
    }
}

/// One tagged field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) tag: u64,
    pub(crate) bytes: &'a [u8],
    /// Tag, length and bytes as they stand, for copying.
    pub(crate) raw: &'a [u8],
}

impl<'a> Field<'a> {
    pub(crate) fn reader(&self) -> Reader<'a> {
        Reader::new(self.bytes)
    }

    pub(crate) fn number(&self) -> Result<u64, FormatError> {
        self.reader().varint()
    }

    pub(crate) fn signed(&self) -> Result<i64, FormatError> {
        self.reader().signed()
    }

    pub(crate) fn text(&self, name: &'static str) -> Result<&'a str, FormatError> {
        text(self.bytes, name)
    }
}

fn text<'a>(bytes: &'a [u8], name: &'static str) -> Result<&'a str, FormatError> {
    std::str::from_utf8(bytes).map_err(|_| FormatError::Malformed(name))
}

// The browser's test build has no proptest, which wants randomness from the system.
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(unsigned: u64, signed: i64) {
            let mut out = Vec::new();
            put_number(&mut out, 3, unsigned);
            put_signed_number(&mut out, 4, signed);

            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.field().unwrap().unwrap().number().unwrap(), unsigned);
            prop_assert_eq!(reader.field().unwrap().unwrap().signed().unwrap(), signed);
            prop_assert!(reader.field().unwrap().is_none());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while let Ok(Some(_)) = reader.field() {}
        }
    }

    #[test]
    fn a_cut_field_is_an_error() {
        let mut out = Vec::new();
        put_field(&mut out, 1, b"payload");

        assert_eq!(Reader::new(&out[..4]).field().unwrap_err(), FormatError::Cut);
    }
}
