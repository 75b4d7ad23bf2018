//! Reading and writing header fields, without surprises.

use gaveta_core::{Error, Result};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response};

/// The value of a field that may stand once; none when it is missing, repeated or no text.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then(|| value.trim())
}

/// As [`single`], where misreading would do harm.
///
/// # Errors
/// `BadRequest` when it is repeated or no text.
pub(super) fn sole<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>> {
    if !headers.contains_key(name) {
        return Ok(None);
    }
    single(headers, name)
        .map(Some)
        .ok_or_else(|| Error::bad_request(format!("{name} is repeated or not readable")))
}

/// The values of a list field, joined: RFC 9110, section 5.3.
///
/// # Errors
/// `BadRequest` when one is no text.
pub(super) fn list(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>> {
    let mut joined: Option<String> = None;
    for value in headers.get_all(name) {
        let value = value
            .to_str()
            .map_err(|_| Error::bad_request(format!("{name} is not readable")))?;
        match &mut joined {
            Some(joined) => {
                joined.push_str(", ");
                joined.push_str(value);
            }
            None => joined = Some(value.to_owned()),
        }
    }
    Ok(joined)
}

/// Sets a field. A value that cannot stand in a header (no caller makes one) is left out.
pub(super) fn set<B>(response: &mut Response<B>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_and_unreadable_fields_are_told_apart() {
        let name = HeaderName::from_static("x-a");
        let mut map = HeaderMap::new();
        assert_eq!(
            (single(&map, &name), sole(&map, &name).unwrap()),
            (None, None)
        );
        map.append(&name, HeaderValue::from_static(" 1 "));
        assert_eq!(sole(&map, &name).unwrap(), Some("1"));
        map.append(&name, HeaderValue::from_static("2"));
        assert_eq!(single(&map, &name), None);
        assert!(sole(&map, &name).is_err());
        assert_eq!(list(&map, &name).unwrap().unwrap(), " 1 , 2");
        map.append(&name, HeaderValue::from_bytes(b"\xff").unwrap());
        assert!(list(&map, &name).is_err());
    }
}
