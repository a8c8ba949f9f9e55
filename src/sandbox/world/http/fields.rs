//! Header fields as a guest makes and reads them.
//!
//! Names are in lower case, and what is no name or no value of HTTP is refused. So are the fields
//! that only whoever makes the connection may write.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::abi::HeaderError;
use crate::sandbox::fetch::{self, Fields, MAX_FIELDS, MAX_HEADER, is_of_the_connection};
use crate::sandbox::world::stop::Stop;

/// Header fields, and whether they can be changed.
#[derive(Clone, Debug, Default)]
pub struct Header {
    fields: Fields,
    fixed: bool,
}

/// What the guest is told of a change, or the end of its task.
type Changed = Result<Result<(), HeaderError>, Stop>;

fn name(text: &str) -> Result<String, HeaderError> {
    match HeaderName::from_bytes(text.as_bytes()) {
        Ok(name) if is_of_the_connection(name.as_str()) => Err(HeaderError::Forbidden),
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(_) => Err(HeaderError::InvalidSyntax),
    }
}

fn value(bytes: Vec<u8>) -> Result<Bytes, HeaderError> {
    let bytes = Bytes::from(bytes);
    match HeaderValue::from_maybe_shared(bytes.clone()) {
        Ok(_) => Ok(bytes),
        Err(_) => Err(HeaderError::InvalidSyntax),
    }
}

impl Header {
    /// These fields, which cannot be changed.
    pub fn fixed(fields: Fields) -> Self {
        Self {
            fields,
            fixed: true,
        }
    }

    /// The fields.
    pub fn into_fields(self) -> Fields {
        self.fields
    }

    /// The fields.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The same fields, to be changed.
    pub fn copy(&self) -> Self {
        Self {
            fields: self.fields.clone(),
            fixed: false,
        }
    }

    /// The values of a field.
    pub fn get(&self, name: &str) -> Vec<Vec<u8>> {
        let is_it = |(field, _): &&(String, Bytes)| field.eq_ignore_ascii_case(name);
        let found = self.fields.iter().filter(is_it);
        found.map(|(_, value)| value.to_vec()).collect()
    }

    /// Whether there is a field.
    pub fn has(&self, name: &str) -> bool {
        let mut names = self.fields.iter().map(|(field, _)| field);
        names.any(|field| field.eq_ignore_ascii_case(name))
    }

    /// Puts `change` in force, where the header can be changed and does not become too long.
    fn change(&mut self, change: impl FnOnce(&mut Fields) -> Result<(), HeaderError>) -> Changed {
        if self.fixed {
            return Ok(Err(HeaderError::Immutable));
        }
        let changed = change(&mut self.fields);
        if self.fields.len() > MAX_FIELDS || fetch::size_of(&self.fields) > MAX_HEADER {
            let message = format!(
                "the step made a header of more than {MAX_FIELDS} fields or {} KiB",
                MAX_HEADER >> 10
            );
            return Err(Stop::contract(message).hint("send large data in the body of a request"));
        }
        Ok(changed)
    }

    /// Gives a field these values and no other.
    pub fn set(&mut self, field: &str, values: Vec<Vec<u8>>) -> Changed {
        self.change(|fields| {
            let name = name(field)?;
            let values = values.into_iter().map(value);
            let values = values.collect::<Result<Vec<_>, _>>()?;
            fields.retain(|(field, _)| *field != name);
            fields.extend(values.into_iter().map(|value| (name.clone(), value)));
            Ok(())
        })
    }

    /// Takes a field out.
    pub fn delete(&mut self, field: &str) -> Changed {
        self.set(field, Vec::new())
    }

    /// Gives a field one value more.
    pub fn append(&mut self, field: &str, bytes: Vec<u8>) -> Changed {
        self.change(|fields| {
            fields.push((name(field)?, value(bytes)?));
            Ok(())
        })
    }

    /// A header of these fields.
    pub fn of(entries: Vec<(String, Vec<u8>)>) -> Result<Result<Self, HeaderError>, Stop> {
        let mut header = Self::default();
        for (name, value) in entries {
            if let Err(error) = header.append(&name, value)? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(header))
    }

    /// All fields.
    pub fn entries(&self) -> Vec<(String, Vec<u8>)> {
        let entry = |(name, value): &(String, Bytes)| (name.clone(), value.to_vec());
        self.fields.iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_kept_in_lower_case() {
        let mut header = Header::default();
        let told = |changed: Changed| changed.expect("there is room");
        assert_eq!(told(header.append("Accept", b"a".to_vec())), Ok(()));
        assert_eq!(told(header.append("ACCEPT", b"b".to_vec())), Ok(()));
        assert_eq!(header.get("aCCept"), [b"a", b"b"]);
        assert_eq!(told(header.set("accept", vec![b"c".to_vec()])), Ok(()));
        assert_eq!(header.entries(), [("accept".to_owned(), b"c".to_vec())]);
        assert_eq!(told(header.delete("Accept")), Ok(()));
        assert!(!header.has("accept"));
    }

    #[test]
    fn what_could_become_another_request_is_refused() {
        let mut header = Header::default();
        for (name, value, error) in [
            ("x\r\ny", "1", HeaderError::InvalidSyntax),
            ("x y", "1", HeaderError::InvalidSyntax),
            ("", "1", HeaderError::InvalidSyntax),
            ("x", "1\r\nhost: other", HeaderError::InvalidSyntax),
            ("x", "1\0", HeaderError::InvalidSyntax),
            ("Host", "other", HeaderError::Forbidden),
            ("Transfer-Encoding", "chunked", HeaderError::Forbidden),
            ("connection", "keep-alive", HeaderError::Forbidden),
        ] {
            let told = header.append(name, value.into()).expect("there is room");
            assert_eq!(told, Err(error), "{name:?}: {value:?}");
        }
        let mut fixed = Header::fixed(Vec::new());
        let told = fixed.append("x", b"1".to_vec()).expect("there is room");
        assert_eq!(told, Err(HeaderError::Immutable));
    }

    #[test]
    fn a_header_has_an_end() {
        let mut header = Header::default();
        let long = || vec![b'x'; 60 << 10];
        header
            .append("a", long())
            .expect("there is room")
            .expect("it is one");
        assert!(header.append("b", long()).is_err());
        let many = (0..=MAX_FIELDS).map(|n| (format!("f{n}"), Vec::new()));
        assert!(Header::of(many.collect()).is_err());
    }
}
