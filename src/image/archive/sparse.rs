//! PURE but for reading the map. Sparse members: GNU's old format, and PAX 0.0, 0.1 and 1.0
//! (GNU tar manual, "Storing Sparse Files").

use super::broken;
use super::pax::{Records, decimal};
use std::io::{self, Read};
use tar::Header;

/// More pieces than any real file has.
const MAX_EXTENTS: usize = 1 << 20;

/// Where the stored bytes of a member belong in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extents {
    /// (offset, length) in bytes, ascending, without overlap, within `size`.
    pub pieces: Vec<(u64, u64)>,
    /// The file's size.
    pub size: u64,
}

impl Extents {
    fn new(pieces: Vec<(u64, u64)>, size: u64) -> io::Result<Extents> {
        let mut end = 0;
        for (offset, length) in &pieces {
            let next = offset.checked_add(*length).filter(|next| *offset >= end && *next <= size);
            end = next.ok_or_else(|| broken("a sparse map is out of order"))?;
        }
        Ok(Extents { pieces, size })
    }
}

/// The map in a GNU header (type `S`) and its extension blocks, which `more` reads.
pub(super) fn of_gnu(
    header: &Header,
    mut more: impl FnMut() -> io::Result<[u8; 512]>,
) -> io::Result<Extents> {
    let gnu = header.as_gnu().ok_or_else(|| broken("a sparse member without a GNU header"))?;
    let mut pieces = Vec::new();
    let mut take = |sparse: &tar::GnuSparseHeader| -> io::Result<()> {
        if !sparse.is_empty() {
            pieces.push((sparse.offset()?, sparse.length()?));
        }
        if pieces.len() > MAX_EXTENTS { Err(broken("a sparse map is too long")) } else { Ok(()) }
    };
    gnu.sparse.iter().try_for_each(&mut take)?;
    let mut extended = gnu.is_extended();
    while extended {
        let mut block = tar::GnuExtSparseHeader::new();
        block.as_mut_bytes().copy_from_slice(&more()?);
        block.sparse().iter().try_for_each(&mut take)?;
        extended = block.is_extended();
    }
    Extents::new(pieces, gnu.real_size()?)
}

/// PAX 1.0: the map stands in the data's first blocks, decimal numbers each with a newline.
pub(super) fn of_pax_1_0(data: &mut impl Read, pax: &Records) -> io::Result<Extents> {
    let size = pax.number(b"GNU.sparse.realsize")?.ok_or_else(|| broken("a sparse member without a size"))?;
    let mut block = [0u8; 512];
    let mut position = block.len();
    let mut number = || -> io::Result<u64> {
        let mut digits = Vec::new();
        loop {
            if position == block.len() {
                data.read_exact(&mut block)?;
                position = 0;
            }
            position += 1;
            match block[position - 1] {
                b'\n' => return decimal(&digits).ok_or_else(|| broken("a sparse map is malformed")),
                digit if digits.len() < 20 => digits.push(digit),
                _ => return Err(broken("a sparse map is malformed")),
            }
        }
    };
    let count = number()?;
    if count > MAX_EXTENTS as u64 {
        return Err(broken("a sparse map is too long"));
    }
    let pieces = (0..count).map(|_| Ok((number()?, number()?))).collect::<io::Result<_>>()?;
    Extents::new(pieces, size)
}

/// PAX 0.1 (one list) and 0.0 (a pair of records a piece); none when the member is not sparse.
pub(super) fn of_pax_0(pax: &Records) -> io::Result<Option<Extents>> {
    let Some(size) = pax.number(b"GNU.sparse.size")? else { return Ok(None) };
    let malformed = || broken("a sparse map is malformed");
    let numbers: Vec<u64> = match pax.value(b"GNU.sparse.map") {
        Some(map) => {
            let parts = map.split(|byte| *byte == b',').filter(|part| !part.is_empty());
            parts.map(|part| decimal(part).ok_or_else(malformed)).collect::<io::Result<_>>()?
        }
        None => {
            let keys = [&b"GNU.sparse.offset"[..], b"GNU.sparse.numbytes"];
            let parts = pax.records.iter().filter(|(key, _)| keys.contains(&key.as_slice()));
            parts.map(|(_, part)| decimal(part).ok_or_else(malformed)).collect::<io::Result<_>>()?
        }
    };
    let (pairs, rest) = numbers.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(malformed());
    }
    Extents::new(pairs.iter().map(|[offset, length]| (*offset, *length)).collect(), size).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_of_pax_0_1_and_0_0_mean_the_same() {
        let with_list = Records::parse(b"19 GNU.sparse.size=99\n".as_slice());
        assert!(with_list.is_err(), "a wrong length is an error");
        let records = |pairs: &[(&str, &str)]| Records {
            records: pairs
                .iter()
                .map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()))
                .collect(),
        };
        let list = records(&[("GNU.sparse.size", "99"), ("GNU.sparse.map", "0,10,50,5")]);
        let pairs = records(&[
            ("GNU.sparse.size", "99"),
            ("GNU.sparse.offset", "0"),
            ("GNU.sparse.numbytes", "10"),
            ("GNU.sparse.offset", "50"),
            ("GNU.sparse.numbytes", "5"),
        ]);
        let expected = Extents { pieces: vec![(0, 10), (50, 5)], size: 99 };
        assert_eq!(of_pax_0(&list).unwrap(), Some(expected.clone()));
        assert_eq!(of_pax_0(&pairs).unwrap(), Some(expected));
        assert_eq!(of_pax_0(&records(&[])).unwrap(), None);
    }

    #[test]
    fn maps_that_overlap_or_pass_the_end_are_refused() {
        assert!(Extents::new(vec![(0, 10), (5, 5)], 99).is_err());
        assert!(Extents::new(vec![(90, 10)], 99).is_err());
        assert!(Extents::new(vec![(u64::MAX, 10)], 99).is_err());
    }
}
