//! Bytes as lower-case hexadecimal digits.

/// Appends the digits of `bytes`.
pub(crate) fn put_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        out.extend([byte >> 4, byte & 15].map(|digit| char::from(digit + if digit < 10 { b'0' } else { b'a' - 10 })));
    }
}

/// The digits of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(2 * bytes.len());
    put_hex(&mut out, bytes);
    out
}

/// The bytes of such digits; none if they are not.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    fn digit(byte: u8) -> Option<u8> {
        match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        }
    }
    let pair = |pair: &[u8]| match pair {
        &[high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        assert_eq!(hex(&[0, 10, 255]), "000aff");
        assert_eq!(unhex("000aff"), Some(vec![0, 10, 255]));
        assert_eq!(unhex(""), Some(Vec::new()));
    }

    #[test]
    fn other_texts_are_no_bytes() {
        for text in ["0", "0A", "zz", "ä"] {
            assert_eq!(unhex(text), None, "{text}");
        }
    }
}
