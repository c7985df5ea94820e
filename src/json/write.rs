//! Writing JSON where serde would be too large: texts, and objects field by field.

/// Appends a JSON string.
pub(crate) fn put_text(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    // Almost every text is copied as a whole.
    while let Some(place) = rest.bytes().position(needs_escape) {
        out.push_str(rest.get(..place).unwrap_or_default());
        match rest.as_bytes().get(place).copied().unwrap_or_default() {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            control => {
                out.push_str("\\u00");
                for digit in [control >> 4, control & 15] {
                    out.extend(char::from_digit(digit.into(), 16));
                }
            }
        }
        rest = rest.get(place + 1..).unwrap_or_default();
    }
    out.push_str(rest);
    out.push('"');
}

fn needs_escape(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

/// Appends a whole number.
pub(crate) fn put_number(out: &mut String, number: i64) {
    out.push_str(itoa::Buffer::new().format(number));
}

/// Writes an object. Its fields stand in the order in which they are given.
#[derive(Debug)]
pub(crate) struct ObjectWriter<'o> {
    out: &'o mut String,
}

impl<'o> ObjectWriter<'o> {
    pub(crate) fn new(out: &'o mut String) -> Self {
        out.push('{');
        Self { out }
    }

    /// Where the value of this field is to be written, by whoever knows how.
    pub(crate) fn field(&mut self, name: &str) -> &mut String {
        // No value ends with this bracket.
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    pub(crate) fn text(&mut self, name: &str, value: &str) {
        put_text(self.field(name), value);
    }

    pub(crate) fn text_if(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    pub(crate) fn number(&mut self, name: &str, value: i64) {
        put_number(self.field(name), value);
    }

    pub(crate) fn flag(&mut self, name: &str, value: bool) {
        self.raw(name, if value { "true" } else { "false" });
    }

    /// A value that is JSON already.
    pub(crate) fn raw(&mut self, name: &str, value: &str) {
        self.field(name).push_str(value);
    }

    pub(crate) fn raw_if(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.raw(name, value);
        }
    }

    /// A list of what `put` writes.
    pub(crate) fn list<T>(&mut self, name: &str, items: &[T], mut put: impl FnMut(&T, &mut String)) {
        let out = self.field(name);
        out.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            put(item, out);
        }
        out.push(']');
    }

    pub(crate) fn end(self) {
        self.out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_in_the_order_in_which_they_are_given() {
        let mut out = String::new();

        let mut object = ObjectWriter::new(&mut out);
        object.text("a", "x\"\\\n\u{1f}é");
        object.text_if("none", None);
        object.number("n", -1);
        object.flag("yes", true);
        object.raw_if("raw", Some("{}"));
        object.list("list", &[1, 2], |_, out| ObjectWriter::new(out).end());
        object.end();

        assert_eq!(
            out,
            r#"{"a":"x\"\\\u000a\u001fé","n":-1,"yes":true,"raw":{},"list":[{},{}]}"#
        );
    }
}
