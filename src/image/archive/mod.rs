//! Reads a tar stream member by member: ustar, GNU and PAX. Field decoding is the tar crate's; the loop is ours,
//! because the crate cuts PAX values at newlines, which binary values (file capabilities) may hold.
//!
//! Touches no file system.

pub mod pax;
pub mod sparse;

use pax::Records;
use sparse::Extents;
use std::io::{self, Read};
use tar::{EntryType, Header};

const BLOCK: u64 = 512;
/// Long names and PAX headers above this are refused; GNU tar's own are a few kilobytes.
const EXTENSION_BYTES: u64 = 1 << 20;

/// One member's header, extension headers resolved.
#[derive(Debug, Clone)]
pub struct Member {
    pub path: Vec<u8>,
    /// A hard or symbolic link's target; else empty.
    pub link: Vec<u8>,
    pub kind: EntryType,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: i64,
    /// By full name (`security.capability`).
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// The file's size once unpacked, bytes.
    pub size: u64,
    /// Where the stored bytes belong; none: they are the file from its start.
    pub extents: Option<Extents>,
}

/// A tar stream. Between two calls of [`Archive::next_member`] it reads as the current member's stored bytes.
pub struct Archive<R> {
    inner: R,
    /// Stored bytes of the current member not yet read, and the padding after them.
    left: u64,
    padding: u64,
}

/// What extension headers said about the member that follows.
#[derive(Default)]
struct Extensions {
    long_path: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    pax: Records,
}

impl<R: Read> Archive<R> {
    /// Reads from `inner`, which gives the plain (not compressed) stream.
    pub fn new(inner: R) -> Archive<R> {
        Archive { inner, left: 0, padding: 0 }
    }

    /// The next member; none at the end mark. A stream that ends without one is an error.
    pub fn next_member(&mut self) -> io::Result<Option<Member>> {
        let mut extensions = Extensions::default();
        loop {
            self.skip_rest()?;
            let Some(header) = self.header()? else { return Ok(None) };
            match header.entry_type() {
                EntryType::XHeader => {
                    self.begin(header.entry_size()?);
                    extensions.pax = Records::parse(&self.extension()?)?;
                }
                EntryType::GNULongName => {
                    self.begin(header.entry_size()?);
                    extensions.long_path = Some(without_nul(self.extension()?));
                }
                EntryType::GNULongLink => {
                    self.begin(header.entry_size()?);
                    extensions.long_link = Some(without_nul(self.extension()?));
                }
                // Global PAX records: a comment, as git-archive writes; none that we honour.
                EntryType::XGlobalHeader => self.begin(header.entry_size()?),
                _ => return self.member(&header, extensions).map(Some),
            }
        }
    }

    /// The whole of the underlying stream that is left is read and dropped, so that its writer ends well.
    pub fn drain(mut self) -> io::Result<()> {
        io::copy(&mut self.inner, &mut io::sink()).map(|_| ())
    }

    fn member(&mut self, header: &Header, extensions: Extensions) -> io::Result<Member> {
        let Extensions { long_path, long_link, pax } = extensions;
        let kind = header.entry_type();
        let stored = pax.number(b"size")?.map_or_else(|| header.entry_size(), Ok)?;
        let is_file = matches!(kind, EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse);
        self.begin(if is_file { stored } else { header.entry_size()? });
        let extents = if is_file { self.extents(header, &pax)? } else { None };
        let plain = |name: &[u8], long: Option<Vec<u8>>, short: Vec<u8>| {
            pax.value(name).map(<[u8]>::to_vec).or(long).unwrap_or(short)
        };
        let path = plain(b"path", long_path, header.path_bytes().into_owned());
        let link_in_header = header.link_name_bytes().map(|name| name.into_owned()).unwrap_or_default();
        Ok(Member {
            path: pax.value(b"GNU.sparse.name").map_or(path, <[u8]>::to_vec),
            link: plain(b"linkpath", long_link, link_in_header),
            kind,
            mode: header.mode()? & 0o7777,
            uid: id(pax.number(b"uid")?.map_or_else(|| header.uid(), Ok)?)?,
            gid: id(pax.number(b"gid")?.map_or_else(|| header.gid(), Ok)?)?,
            mtime: i64::try_from(header.mtime().unwrap_or(0)).unwrap_or(0),
            xattrs: pax.xattrs(),
            size: extents.as_ref().map_or(stored, |extents| extents.size),
            extents,
        })
    }

    fn extents(&mut self, header: &Header, pax: &Records) -> io::Result<Option<Extents>> {
        if header.entry_type() == EntryType::GNUSparse {
            // The map's extension blocks lie before the data and are not counted in its size.
            let inner = &mut self.inner;
            return sparse::of_gnu(header, || read_block(inner)?.ok_or_else(cut)).map(Some);
        }
        if pax.value(b"GNU.sparse.major") == Some(b"1") {
            return sparse::of_pax_1_0(self, pax).map(Some);
        }
        sparse::of_pax_0(pax)
    }

    fn begin(&mut self, stored: u64) {
        self.left = stored;
        self.padding = stored.next_multiple_of(BLOCK) - stored;
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        let rest = self.left.checked_add(self.padding).ok_or_else(|| broken("a size beyond 2^64"))?;
        let skipped = io::copy(&mut (&mut self.inner).take(rest), &mut io::sink())?;
        (self.left, self.padding) = (0, 0);
        if skipped < rest { Err(cut()) } else { Ok(()) }
    }

    fn header(&mut self) -> io::Result<Option<Header>> {
        let block = read_block(&mut self.inner)?.ok_or_else(cut)?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = Header::from_byte_slice(&block).clone();
        let sum: u32 = block[..148].iter().chain(&block[156..]).map(|byte| u32::from(*byte)).sum();
        if header.cksum()? != sum + 8 * u32::from(b' ') {
            return Err(broken("a header's checksum is wrong"));
        }
        if header.entry_size()? > u64::MAX / 4 {
            return Err(broken("a member's size is absurd"));
        }
        Ok(Some(header))
    }

    fn extension(&mut self) -> io::Result<Vec<u8>> {
        if self.left > EXTENSION_BYTES {
            return Err(broken("an extension header is too long"));
        }
        let length = self.left;
        let mut content = Vec::new();
        self.read_to_end(&mut content)?;
        if (content.len() as u64) < length { Err(cut()) } else { Ok(content) }
    }
}

impl<R: Read> Read for Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = (&mut self.inner).take(self.left).read(buffer)?;
        self.left -= length as u64;
        Ok(length)
    }
}

/// One block; none when the stream is at its end before the first byte.
fn read_block(inner: &mut impl Read) -> io::Result<Option<[u8; 512]>> {
    let mut block = [0; 512];
    let mut filled = 0;
    while filled < block.len() {
        match inner.read(&mut block[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(cut()),
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(block))
}

fn id(number: u64) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| broken("an owner's id is above 2^32"))
}

fn without_nul(mut name: Vec<u8>) -> Vec<u8> {
    while name.last() == Some(&0) {
        name.pop();
    }
    name
}

/// The archive is not what tar writes.
pub(super) fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is cut short")
}
