//! A stored event as the type that an app has for it.
//!
//! Type and payload are stored apart; serde's adjacent tagging wants them as one object. Here they are
//! handed over as that object's two fields, so that the payload's bytes are read once, in place, and
//! no text of the whole is made.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Error;

/// Reads an event of `event_type` with `data`, JSON text, as `{ "type": …, "data": … }`.
pub(crate) fn read_typed<E: DeserializeOwned>(event_type: &str, data: Option<&[u8]>) -> Result<E, Error> {
    E::deserialize(Tagged { event_type, data })
}

struct Tagged<'de> {
    event_type: &'de str,
    data: Option<&'de [u8]>,
}

impl<'de> Deserializer<'de> for Tagged<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Fields {
            event_type: Some(self.event_type),
            data: self.data,
        })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The fields that have not been read yet. The type comes first: then serde knows what the payload is.
struct Fields<'de> {
    event_type: Option<&'de str>,
    data: Option<&'de [u8]>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let key = match (self.event_type, self.data) {
            (Some(_), _) => "type",
            (None, Some(_)) => "data",
            (None, None) => return Ok(None),
        };
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        if let Some(event_type) = self.event_type.take() {
            return seed.deserialize(BorrowedStrDeserializer::new(event_type));
        }
        let mut data = serde_json::Deserializer::from_slice(self.data.take().unwrap_or(b"null"));
        let value = seed.deserialize(&mut data)?;
        data.end()?;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "type", content = "data")]
    enum Heard {
        Said { word: String },
        Counted(u64),
        Left,
    }

    #[track_caller]
    fn read(event_type: &str, data: Option<&str>) -> Result<Heard, String> {
        read_typed(event_type, data.map(str::as_bytes)).map_err(|error| error.to_string())
    }

    #[test]
    fn an_event_is_read_as_the_variant_of_its_type() {
        assert_eq!(
            read("Said", Some(r#"{"word":"yes"}"#)),
            Ok(Heard::Said { word: "yes".into() })
        );
        assert_eq!(read("Counted", Some("7")), Ok(Heard::Counted(7)));
    }

    #[test]
    fn an_event_without_data_is_a_variant_without_fields() {
        assert_eq!(read("Left", None), Ok(Heard::Left));
        assert_eq!(read("Left", Some("null")), Ok(Heard::Left));
    }

    #[test]
    fn what_the_type_does_not_know_is_an_error_that_says_so() {
        let unknown = read("Sung", Some("{}")).unwrap_err();
        let wrong = read("Said", Some(r#"{"word":1}"#)).unwrap_err();
        let cut = read("Counted", Some("7 8")).unwrap_err();

        assert!(unknown.contains("unknown variant `Sung`"), "{unknown}");
        assert!(wrong.contains("expected a string"), "{wrong}");
        assert!(cut.contains("trailing characters"), "{cut}");
    }

    #[test]
    fn an_event_can_be_read_as_any_json() {
        let value: Value = read_typed("Said", Some(br#"{"word":"yes"}"#)).unwrap();

        assert_eq!(value, json!({ "type": "Said", "data": { "word": "yes" } }));
    }
}
