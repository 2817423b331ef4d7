//! Variables whose values are secret, on their way into a container: as a text in a sealed memory file, read by the
//! process that becomes the container's program, and by no other.

use crate::runtime::channel::{Failure, step};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

/// The text: `NAME=VALUE` and a zero byte for each, as in environ(7).
pub fn text<'a>(variables: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let variables: Vec<(&str, &[u8])> = variables.into_iter().collect();
    let length = variables.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    // Whole from the start: growing would leave copies behind.
    let mut text = Vec::with_capacity(length);
    for (name, value) in variables {
        text.extend_from_slice(name.as_bytes());
        text.push(b'=');
        text.extend_from_slice(value);
        text.push(0);
    }
    text
}

/// What a descriptor holds; none holds nothing.
pub fn read(secrets: Option<OwnedFd>) -> Result<BTreeMap<String, String>, Failure> {
    let Some(secrets) = secrets else { return Ok(BTreeMap::new()) };
    let mut text = String::new();
    File::from(secrets).read_to_string(&mut text).map_err(step("read the secret variables"))?;
    Ok(parse(&text))
}

/// The variables of a text in environ(7)'s form.
pub fn parse(text: &str) -> BTreeMap<String, String> {
    let variables = text.split('\0').filter_map(|variable| variable.split_once('='));
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::{parse, text};

    #[test]
    fn variables_come_through_whole() {
        let made = text([("A", &b"x=y"[..]), ("B", b""), ("C", b"two\nlines")]);
        let read = parse(std::str::from_utf8(&made).unwrap());
        let read: Vec<(&str, &str)> =
            read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(read, [("A", "x=y"), ("B", ""), ("C", "two\nlines")]);
    }
}
