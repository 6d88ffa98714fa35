//! JSON for signing: what is read is exactly what the canonical form can say.
//!
//! The canonical form is that of RFC 8785 (JSON Canonicalization Scheme). Numbers are integers that a double holds
//! exactly; fractions and exponents are refused instead of rounded, so no two documents share a canonical form unless
//! they say the same. A member given twice is refused for the same reason: readers differ on which one counts.

use std::fmt::{self, Write};

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// The largest integer up to which a double holds every integer.
const MAX_INTEGER: i64 = (1 << 53) - 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Text(String),
    List(Vec<Self>),
    Object(Object),
}

/// Members in the order of the document; no name stands there twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Object(pub(crate) Vec<(String, Value)>);

impl Object {
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// The canonical form.
    pub(crate) fn canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        let mut members: Vec<_> = self.0.iter().collect();
        // RFC 8785, 3.2.3: by UTF-16 code units, which differs from the order of code points above U+FFFF.
        members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        out.push('{');
        for (index, (name, value)) in members.into_iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_text(name, out);
            out.push(':');
            value.write(out);
        }
        out.push('}');
    }

    /// The document for people: a member a line, in the order of the members.
    pub(crate) fn pretty(&self) -> String {
        let mut out = String::from("{");
        for (index, (name, value)) in self.0.iter().enumerate() {
            out.push_str(if index > 0 { ",\n  " } else { "\n  " });
            write_text(name, &mut out);
            out.push_str(": ");
            value.write(&mut out);
        }
        out.push_str("\n}\n");
        out
    }
}

impl Value {
    /// What kind of value it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Integer(number) => {
                let _ = write!(out, "{number}");
            }
            Self::Text(text) => write_text(text, out),
            Self::List(values) => {
                out.push('[');
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    value.write(out);
                }
                out.push(']');
            }
            Self::Object(object) => object.write(out),
        }
    }
}

/// RFC 8785, 3.2.2.2: only what must be escaped is, with the short form where there is one.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut members: Vec<(String, Value)> = Vec::new();
        let mut names = std::collections::HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(de::Error::custom(format_args!("found member {name:?} twice")));
            }
            members.push((name, map.next_value()?));
        }
        Ok(Object(members))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        if (-MAX_INTEGER..=MAX_INTEGER).contains(&number) {
            return Ok(Value::Integer(number));
        }
        Err(E::custom(format_args!(
            "found number {number}, expected one from -{MAX_INTEGER} to {MAX_INTEGER}"
        )))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Err(E::custom(format_args!("found number {number:?}, expected an integer")))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        ObjectVisitor.visit_map(map).map(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Object, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn canonical_form() {
        for (text, expected) in [
            ("{}", "{}"),
            (
                "{\"b\":1,\"a\":[true,null,{\"d\":\"\",\"c\":-7}]}",
                "{\"a\":[true,null,{\"c\":-7,\"d\":\"\"}],\"b\":1}",
            ),
            // The sorting example of RFC 8785, 3.2.3.
            (
                "{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6,\"\\u00f6\":7}",
                "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}",
            ),
            // The strings of RFC 8785, 3.2.2.2.
            (
                "{\"string\":\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\"}",
                "{\"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}",
            ),
            (
                "{\"n\":9007199254740991,\"m\":-9007199254740991}",
                "{\"m\":-9007199254740991,\"n\":9007199254740991}",
            ),
        ] {
            assert_eq!(read(text).unwrap().canonical(), expected);
        }
    }

    #[test]
    fn what_would_be_ambiguous_is_refused_with_its_place() {
        for (text, expected) in [
            ("{\"a\":1,\n\"a\":2}", "found member \"a\" twice at line 2 column 3"),
            ("{\"a\":{\"b\":1,\"\\u0062\":1}}", "found member \"b\" twice"),
            ("{\"a\":1.5}", "found number 1.5, expected an integer at line 1 column 8"),
            ("{\"a\":1e2}", "found number 100.0, expected an integer"),
            ("{\"a\":-0}", "found number -0.0, expected an integer"),
            ("{\"a\":9007199254740992}", "found number 9007199254740992, expected one from"),
            ("{\"a\":18446744073709551615}", "expected one from"),
            ("{\"a\":\"\\ud800\"}", "line 1"),
            ("{} x", "trailing characters at line 1 column 4"),
            ("[]", "expected an object"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(read(&format!("{{\"a\":{}}}", "[".repeat(100_000))).is_err());
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            (-MAX_INTEGER..=MAX_INTEGER).prop_map(Value::Integer),
            ".*".prop_map(Value::Text),
            any::<String>().prop_map(Value::Text),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| Value::Object(Object(members.into_iter().collect()))),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_another_implementation_and_reads_itself(
            members in prop::collection::hash_map(any::<String>(), value(), 0..8)
        ) {
            let object = Object(members.into_iter().collect());
            let canonical = object.canonical();
            let parsed: serde_json::Value = serde_json::from_str(&canonical).unwrap();
            prop_assert_eq!(&serde_json_canonicalizer::to_string(&parsed).unwrap(), &canonical);
            prop_assert_eq!(&read(&canonical).unwrap().canonical(), &canonical);
            let pretty = read(&object.pretty()).unwrap();
            prop_assert_eq!(pretty.canonical(), canonical);
            let names = |object: &Object| object.0.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            prop_assert_eq!(names(&pretty), names(&object));
        }
    }
}
