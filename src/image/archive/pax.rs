//! PURE. PAX extended header records: `LENGTH KEY=VALUE\n`, values binary (pax(1), "pax Extended Header").

use super::broken;
use std::io;

/// The records of one extended header, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    pub records: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Records {
    /// Reads records by their lengths, so that a value may hold any byte.
    pub fn parse(content: &[u8]) -> io::Result<Records> {
        let mut records = Vec::new();
        let mut rest = content;
        while !rest.is_empty() && rest[0] != 0 {
            let malformed = || broken("a PAX record is malformed");
            let blank = rest.iter().position(|byte| *byte == b' ').ok_or_else(malformed)?;
            let length = decimal(&rest[..blank]).ok_or_else(malformed)?;
            let length = usize::try_from(length).map_err(|_| malformed())?;
            let record = rest.get(blank + 1..length).ok_or_else(malformed)?;
            let (newline, record) = record.split_last().ok_or_else(malformed)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(malformed)?;
            if *newline != b'\n' {
                return Err(malformed());
            }
            records.push((record[..equals].to_vec(), record[equals + 1..].to_vec()));
            rest = &rest[length..];
        }
        Ok(Records { records })
    }

    /// The last value of `key`, as pax(1) has it.
    pub fn value(&self, key: &[u8]) -> Option<&[u8]> {
        self.records.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_slice())
    }

    /// The value as a decimal number.
    pub fn number(&self, key: &[u8]) -> io::Result<Option<u64>> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => decimal(value).map(Some).ok_or_else(|| broken("a PAX number is malformed")),
        }
    }

    /// Extended attributes, as GNU tar and libarchive write them.
    pub fn xattrs(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let prefix = b"SCHILY.xattr.";
        self.records
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_vec(), value.clone())))
            .collect()
    }
}

/// Digits alone.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_newlines() {
        let records = Records::parse(b"14 path=a\nb\nc\n28 SCHILY.xattr.user.x=\n\x00=\n\n").unwrap();
        assert_eq!(records.value(b"path"), Some(&b"a\nb\nc"[..]));
        assert_eq!(records.xattrs(), [(b"user.x".to_vec(), b"\n\x00=\n".to_vec())]);
    }

    #[test]
    fn malformed_records_are_errors() {
        for bad in [&b"5"[..], b"8 path=a\n", b"99 path=a\n", b"-1 path=a\n", b"10 path_a\n", b"0 x=y\n"] {
            assert!(Records::parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
