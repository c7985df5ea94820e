//! Reading the JSON documents that TypeScript and the server give to the core, and writing some.
//!
//! Written by hand because of its size: what serde derives for these few types is 45 KB of wasm. The
//! first mistake is kept and told at the end, so that what reads a value only says what it expects;
//! after a mistake every answer is empty and every loop ends. Unknown fields are passed over.

#[cfg_attr(target_arch = "wasm32", path = "json/number_in_browser.rs")]
mod number;
mod write;

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::str::Chars;

pub(crate) use write::{ObjectWriter, put_number, put_text};

/// Why a text is not the document that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{expected} expected at byte {at}")]
pub struct InvalidJson {
    expected: &'static str,
    at: usize,
}

/// What can be read from JSON.
pub trait FromJson<'a>: Sized {
    /// Reads one value. After a mistake, which the reader keeps, what it returns means nothing.
    fn read(json: &mut JsonReader<'a>) -> Self;
}

/// Reads a text that is one value.
pub fn parse<'a, T: FromJson<'a>>(text: &'a str) -> Result<T, InvalidJson> {
    let mut reader = JsonReader {
        text,
        at: 0,
        first: true,
        mistake: None,
        open: Vec::new(),
    };
    let value = T::read(&mut reader);
    if reader.peek().is_some() {
        reader.fail("the end");
    }
    reader.mistake.map_or(Ok(value), Err)
}

/// JSON that is kept as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawJson<'a>(&'a str);

impl<'a> RawJson<'a> {
    /// Fails if `text` is not JSON.
    pub fn new(text: &'a str) -> Result<Self, InvalidJson> {
        parse(text)
    }

    /// JSON that was written by a machine a moment ago: not looked at again.
    pub(crate) fn trusted(text: &'a str) -> Self {
        Self(text)
    }

    /// Its text.
    pub fn get(self) -> &'a str {
        self.0
    }
}

/// A document, and how far it is read.
#[derive(Debug)]
pub struct JsonReader<'a> {
    text: &'a str,
    at: usize,
    /// Whether what comes next is the first of its object or list.
    first: bool,
    mistake: Option<InvalidJson>,
    /// For passing over values: one for all of them.
    open: Vec<u8>,
}

impl<'a> JsonReader<'a> {
    /// Enters an object. Its fields are given by [`field`](Self::field), until that gives none.
    pub(crate) fn object(&mut self) {
        self.expect(b'{', "an object");
        self.first = true;
    }

    /// The name of the next field. Its value must be read, or [passed over](Self::raw).
    pub(crate) fn field(&mut self) -> Option<Cow<'a, str>> {
        if !self.more(b'}') {
            return None;
        }
        let name = self.text();
        self.expect(b':', "a colon");
        self.mistake.is_none().then_some(name)
    }

    /// Enters a list. As long as [`item`](Self::item) says so, another item must be read.
    pub(crate) fn list(&mut self) {
        self.expect(b'[', "a list");
        self.first = true;
    }

    /// Whether the list goes on.
    pub(crate) fn item(&mut self) -> bool {
        self.more(b']')
    }

    /// The next item of a list that must have another one.
    pub(crate) fn next<T: FromJson<'a>>(&mut self) -> T {
        if !self.item() {
            self.fail("another item");
        }
        T::read(self)
    }

    /// The value of a field that must be there.
    pub(crate) fn required<T: Default>(&mut self, value: Option<T>, name: &'static str) -> T {
        if value.is_none() {
            self.fail(name);
        }
        value.unwrap_or_default()
    }

    /// Passes over null, if it is next.
    pub(crate) fn null(&mut self) -> bool {
        self.word("null")
    }

    /// Whether a text is next.
    pub(crate) fn is_text(&mut self) -> bool {
        self.peek() == Some(b'"')
    }

    /// Whether a list is next.
    #[cfg_attr(
        not(target_arch = "wasm32"),
        expect(dead_code, reason = "asked of keys, which IndexedDB gives")
    )]
    pub(crate) fn is_list(&mut self) -> bool {
        self.peek() == Some(b'[')
    }

    /// A text.
    pub(crate) fn text(&mut self) -> Cow<'a, str> {
        let (quoted, is_escaped) = self.quoted();
        let escaped_from = if is_escaped { quoted.split_once('\\') } else { None };
        let Some((plain, mut rest)) = escaped_from else {
            return Cow::Borrowed(quoted);
        };
        let mut text = String::with_capacity(quoted.len());
        text.push_str(plain);
        loop {
            let mut chars = rest.chars();
            match escaped(&mut chars) {
                Some(char) => text.push(char),
                None => self.fail("an escape in a text"),
            }
            let Some((plain, after)) = chars.as_str().split_once('\\') else {
                text.push_str(chars.as_str());
                return Cow::Owned(text);
            };
            text.push_str(plain);
            rest = after;
        }
    }

    /// A number.
    pub(crate) fn float(&mut self) -> f64 {
        let text = self.number();
        // Most numbers are whole and small.
        let digits = text.bytes().try_fold(0_u32, |value, byte| {
            let digit = u32::from(byte.wrapping_sub(b'0'));
            if digit < 10 {
                value.checked_mul(10)?.checked_add(digit)
            } else {
                None
            }
        });
        let value = digits.map_or_else(|| number::parse(text), f64::from);
        if !value.is_finite() {
            self.fail("a number");
        }
        value
    }

    /// A whole number, as far as one is exact in JavaScript.
    pub(crate) fn whole(&mut self) -> i64 {
        let negative = self.skip(b'-');
        let bytes = self.text.as_bytes();
        let (start, mut value) = (self.at, 0);
        loop {
            match bytes.get(self.at) {
                Some(digit @ b'0'..=b'9') if value < 1 << 55 => value = value * 10 + i64::from(digit - b'0'),
                Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') => break,
                _ if self.at > start => return if negative { -value } else { value },
                _ => break,
            }
            self.at += 1;
        }
        self.fail("a whole number");
        0
    }

    /// Passes over a value and gives its text.
    pub(crate) fn raw(&mut self) -> RawJson<'a> {
        self.peek();
        let start = self.at;
        // What closes each object and list that is open.
        let mut open = std::mem::take(&mut self.open);
        open.clear();
        while self.mistake.is_none() {
            match self.peek() {
                Some(b'{') => {
                    self.at += 1;
                    if !self.skip(b'}') {
                        open.push(b'}');
                        self.name();
                        continue;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    if !self.skip(b']') {
                        open.push(b']');
                        continue;
                    }
                }
                Some(b'"') => drop(self.quoted()),
                Some(b'-' | b'0'..=b'9') => drop(self.number()),
                _ if self.word("null") || self.word("true") || self.word("false") => {}
                _ => self.fail("a value"),
            }
            while open.last().is_some_and(|end| self.skip(*end)) {
                open.pop();
            }
            match open.last() {
                None => break,
                Some(b'}') => {
                    self.expect(b',', "a comma");
                    self.name();
                }
                Some(_) => self.expect(b',', "a comma"),
            }
        }
        self.open = open;
        RawJson(self.text.get(start..self.at).unwrap_or_default())
    }

    pub(crate) fn fail(&mut self, expected: &'static str) {
        let at = self.at;
        self.mistake.get_or_insert(InvalidJson { expected, at });
        self.at = self.text.len();
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Passes over `byte`, if it is next.
    fn skip(&mut self, byte: u8) -> bool {
        // Mostly there is no white space.
        let here = self.text.as_bytes().get(self.at) == Some(&byte) || self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    fn expect(&mut self, byte: u8, name: &'static str) {
        if !self.skip(byte) {
            self.fail(name);
        }
    }

    fn more(&mut self, end: u8) -> bool {
        let first = std::mem::take(&mut self.first);
        if self.mistake.is_some() {
            return false;
        }
        match self.peek() {
            Some(b',') if !first => self.at += 1,
            Some(byte) if byte == end => {
                self.at += 1;
                return false;
            }
            _ if first => {}
            _ => self.fail("a comma"),
        }
        self.mistake.is_none()
    }

    fn name(&mut self) {
        self.quoted();
        self.expect(b':', "a colon");
    }

    fn word(&mut self, word: &str) -> bool {
        let here = self.peek() == word.bytes().next()
            && self
                .text
                .as_bytes()
                .get(self.at..)
                .is_some_and(|rest| rest.starts_with(word.as_bytes()));
        self.at += if here { word.len() } else { 0 };
        here
    }

    /// What stands between the quotes of a text, with its escapes, and whether it has any.
    fn quoted(&mut self) -> (&'a str, bool) {
        self.expect(b'"', "a text");
        let bytes = self.text.as_bytes();
        let (start, mut end, mut is_escaped) = (self.at, self.at, false);
        // Most bytes of a document pass here: no iterators, which are calls when compiled for size.
        while let Some(byte) = bytes.get(end) {
            match byte {
                b'"' => {
                    self.at = end + 1;
                    return (self.text.get(start..end).unwrap_or_default(), is_escaped);
                }
                b'\\' => {
                    is_escaped = true;
                    end += 1;
                }
                0..b' ' => break,
                _ => {}
            }
            end += 1;
        }
        self.fail("the end of a text");
        ("", false)
    }

    fn number(&mut self) -> &'a str {
        self.peek();
        let start = self.at;
        while let Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') = self.text.as_bytes().get(self.at) {
            self.at += 1;
        }
        if self.at == start {
            self.fail("a number");
            return "";
        }
        self.text.get(start..self.at).unwrap_or_default()
    }
}

/// The character that stands behind a backslash: of its letter or, as UTF-16, of its number.
fn escaped(chars: &mut Chars<'_>) -> Option<char> {
    fn unit(chars: &mut Chars<'_>) -> Option<u32> {
        (0..4).try_fold(0, |unit, _| Some(unit * 16 + chars.next()?.to_digit(16)?))
    }
    match chars.next()? {
        char @ ('"' | '\\' | '/') => return Some(char),
        'b' => return Some('\u{8}'),
        'f' => return Some('\u{c}'),
        'n' => return Some('\n'),
        'r' => return Some('\r'),
        't' => return Some('\t'),
        'u' => {}
        _ => return None,
    }
    let high = unit(chars)?;
    if !(0xD800..0xDC00).contains(&high) {
        return char::from_u32(high);
    }
    if chars.next()? != '\\' || chars.next()? != 'u' {
        return None;
    }
    let low = unit(chars)?.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
    char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + low)
}

impl<'a> FromJson<'a> for RawJson<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        json.raw()
    }
}

impl<'a> FromJson<'a> for Cow<'a, str> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        json.text()
    }
}

impl FromJson<'_> for bool {
    fn read(json: &mut JsonReader<'_>) -> Self {
        let value = json.word("true");
        if !value && !json.word("false") {
            json.fail("true or false");
        }
        value
    }
}

impl FromJson<'_> for i64 {
    fn read(json: &mut JsonReader<'_>) -> Self {
        json.whole()
    }
}

impl FromJson<'_> for u64 {
    fn read(json: &mut JsonReader<'_>) -> Self {
        Self::try_from(json.whole()).unwrap_or_else(|_| {
            json.fail("a number of at least 0");
            0
        })
    }
}

impl FromJson<'_> for u32 {
    fn read(json: &mut JsonReader<'_>) -> Self {
        Self::try_from(json.whole()).unwrap_or_else(|_| {
            json.fail("a number from 0 to 2^32");
            0
        })
    }
}

impl<'a, T: FromJson<'a>> FromJson<'a> for Option<T> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        if json.null() { None } else { Some(T::read(json)) }
    }
}

impl<'a, T: FromJson<'a>> FromJson<'a> for Vec<T> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let mut items = Self::new();
        json.list();
        while json.item() {
            items.push(T::read(json));
        }
        items
    }
}

impl<S: BuildHasher + Default> FromJson<'_> for HashSet<String, S> {
    fn read(json: &mut JsonReader<'_>) -> Self {
        let mut items = Self::default();
        json.list();
        while json.item() {
            items.insert(json.text().into_owned());
        }
        items
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mistake(text: &str) -> String {
        RawJson::new(text).expect_err("is not JSON").to_string()
    }

    #[test]
    fn json_is_kept_as_it_was_written() {
        let text = r#"[ {"a" : [1.5e-3, -2], "b": {}, "c": "\"]\\"}, [], true, null ]"#;

        assert_eq!(RawJson::new(text).unwrap().get(), text);
    }

    #[test]
    fn what_is_not_json_is_refused_with_the_place() {
        assert_eq!(mistake(""), "a value expected at byte 0");
        assert_eq!(mistake("[1 2]"), "a comma expected at byte 3");
        assert_eq!(mistake(r#"{"a" 1}"#), "a colon expected at byte 5");
        assert_eq!(mistake(r#"{"a":1,}"#), "a text expected at byte 7");
        assert_eq!(mistake("\"a"), "the end of a text expected at byte 1");
        assert_eq!(mistake("\"a\nb\""), "the end of a text expected at byte 1");
        assert_eq!(mistake("{} {}"), "the end expected at byte 3");
    }

    #[test]
    fn whole_numbers_are_exact_and_bounded() {
        assert_eq!(
            parse::<Vec<i64>>("[9007199254740991,-1,0]"),
            Ok(vec![9_007_199_254_740_991, -1, 0])
        );
        assert!(parse::<u64>("-1").is_err());
        assert!(parse::<u32>("4294967296").is_err());
        assert!(parse::<i64>("1.5").is_err());
        assert!(parse::<i64>("-").is_err());
        assert!(parse::<i64>("99999999999999999999").is_err());
    }

    proptest! {
        #[test]
        fn texts_come_back(text: String) {
            let written = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(parse::<Cow<'_, str>>(&written), Ok(Cow::Borrowed(text.as_str())));

            let units: Vec<_> = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            let escaped = format!("\"{}\"", units.concat());
            prop_assert_eq!(parse::<Cow<'_, str>>(&escaped), Ok(Cow::Borrowed(text.as_str())));
        }

        #[test]
        fn arbitrary_texts_never_panic(text: String) {
            let _ = parse::<RawJson<'_>>(&text);
            let _ = parse::<Vec<Cow<'_, str>>>(&text);
            let _ = parse::<Vec<Option<i64>>>(&text);
        }
    }
}
