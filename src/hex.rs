//! Bytes as lower-case hexadecimal digits.

/// The digits of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| value + if value < 10 { b'0' } else { b'a' - 10 };
    let mut digits = vec![0; 2 * bytes.len()];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    // They are ASCII.
    String::from_utf8(digits).unwrap_or_default()
}

/// The bytes of such digits; none if they are not.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; text.len() / 2];
    fill(&mut bytes, text).then_some(bytes)
}

/// Fills `bytes` with those of `digits`; false if these are not such digits, or not as many as needed.
pub(crate) fn fill(bytes: &mut [u8], digits: &str) -> bool {
    // Every value is below 16, so what is not a digit is seen at the end.
    let mut all = 0;
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        if let &[high, low] = pair {
            let (high, low) = (value(high), value(low));
            all |= high | low;
            *byte = high << 4 | low;
        }
    }
    digits.len() == 2 * bytes.len() && all < 16
}

/// What a digit stands for; 16 or more if it is none.
fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => 16,
    }
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
