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
///
/// The first error stays and ends the input; what is read after it is empty. Whoever has read all asks for it, once:
/// see [`Reader::end`].
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    /// What is left; of the field, if fields are read.
    rest: &'a [u8],
    /// The fields after this one.
    after: &'a [u8],
    /// The field as it stands.
    field: &'a [u8],
    failed: Option<FormatError>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            after: &[],
            field: &[],
            failed: None,
        }
    }

    /// Of tagged fields: [`Reader::next`] goes to the first one.
    pub(crate) fn of_fields(bytes: &'a [u8]) -> Self {
        Self {
            rest: &[],
            after: bytes,
            field: &[],
            failed: None,
        }
    }

    /// Goes to the next field and gives its tag; none at the end. What follows is read from that field.
    pub(crate) fn next(&mut self) -> Option<u64> {
        if self.after.is_empty() {
            return None;
        }
        let fields = self.after;
        self.rest = fields;
        let tag = self.varint();
        let bytes = self.bytes();
        if self.failed.is_some() {
            return None;
        }
        self.after = self.rest;
        self.rest = bytes;
        self.field = fields.get(..fields.len() - self.after.len()).unwrap_or_default();
        Some(tag)
    }

    /// Tag, length and bytes of the field as they stand, for copying.
    pub(crate) fn raw(&self) -> &'a [u8] {
        self.field
    }

    /// Ends the input with an error, unless it has one.
    #[cold]
    #[inline(never)]
    pub(crate) fn fail(&mut self, error: FormatError) {
        self.failed.get_or_insert(error);
        self.rest = &[];
        self.after = &[];
    }

    /// The first error.
    pub(crate) fn end(self) -> Result<(), FormatError> {
        self.failed.map_or(Ok(()), Err)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    pub(crate) fn take(&mut self, length: usize) -> &'a [u8] {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            self.fail(FormatError::Cut);
            return &[];
        };
        self.rest = rest;
        taken
    }

    /// All that is left.
    pub(crate) fn all(&mut self) -> &'a [u8] {
        self.take(self.rest.len())
    }

    pub(crate) fn varint(&mut self) -> u64 {
        let mut read = 0;
        match quick_varint(self.rest, &mut read) {
            Ok(value) => {
                self.rest = self.rest.get(read..).unwrap_or_default();
                value
            }
            Err(error) => {
                self.fail(error);
                0
            }
        }
    }

    pub(crate) fn signed(&mut self) -> i64 {
        let value = self.varint();
        (value >> 1) as i64 ^ -((value & 1) as i64)
    }

    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let length = self.varint();
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// A text with its length.
    pub(crate) fn text(&mut self, name: &'static str) -> &'a str {
        let bytes = self.bytes();
        self.utf8(bytes, name)
    }

    /// All that is left, as a text.
    pub(crate) fn all_text(&mut self, name: &'static str) -> &'a str {
        let bytes = self.all();
        self.utf8(bytes, name)
    }

    /// So many of the same kind. The number is not believed: each takes at least a byte.
    pub(crate) fn list<T>(&mut self, count: u64, item: impl Fn(&mut Self) -> T) -> Vec<T> {
        let mut items = Vec::new();
        while (items.len() as u64) < count && !self.is_empty() {
            items.push(item(self));
        }
        if (items.len() as u64) < count {
            self.fail(FormatError::Cut);
        }
        items
    }

    fn utf8(&mut self, bytes: &'a [u8], name: &'static str) -> &'a str {
        std::str::from_utf8(bytes).unwrap_or_else(|_| {
            self.fail(FormatError::Malformed(name));
            ""
        })
    }
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

            let mut reader = Reader::of_fields(&out);
            prop_assert_eq!((reader.next(), reader.varint()), (Some(3), unsigned));
            prop_assert_eq!((reader.next(), reader.signed()), (Some(4), signed));
            prop_assert_eq!((reader.next(), reader.end()), (None, Ok(())));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let mut reader = Reader::of_fields(&bytes);
            while reader.next().is_some() {
                reader.list(u64::MAX, Reader::bytes);
            }
        }
    }

    #[test]
    fn a_cut_field_is_an_error() {
        let mut out = Vec::new();
        put_field(&mut out, 1, b"payload");

        let mut reader = Reader::of_fields(&out[..4]);

        assert_eq!(reader.next(), None);
        assert_eq!(reader.end(), Err(FormatError::Cut));
    }

    #[test]
    fn the_first_error_stays_and_ends_the_input() {
        let mut out = Vec::new();
        put_field(&mut out, 1, b"\xff");
        put_field(&mut out, 2, b"");
        let mut reader = Reader::of_fields(&out);

        assert_eq!(reader.next(), Some(1));
        assert_eq!(reader.all_text("name"), "");
        assert_eq!((reader.varint(), reader.next()), (0, None));
        assert_eq!(reader.end(), Err(FormatError::Malformed("name")));
    }
}
