//! Bytes → a keyed hash (HMAC-SHA-256, RFC 2104). The key is the state folder's own, in a file that only root reads:
//! who has records or plans but not the key can neither read nor guess a secret by its digest.

use crate::model::content::{Digest, SecretValue};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// In the state folder.
const FILE: &str = "digest.key";

const BYTES: usize = 32;

/// A state folder's key.
#[derive(Debug)]
pub struct DigestKey {
    key: SecretValue,
    path: PathBuf,
    /// Steps that run side by side keep it one after another.
    keeping: Mutex<()>,
}

impl DigestKey {
    /// The key of a state folder; where there is none, a new one, which [`DigestKey::keep`] writes.
    pub fn open(state: &Path) -> io::Result<DigestKey> {
        let path = state.join(FILE);
        let key = match fs::read(&path) {
            Ok(bytes) if bytes.len() == BYTES => bytes,
            Ok(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "the digest key is cut short")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => random()?,
            Err(error) => return Err(error),
        };
        Ok(DigestKey { key: SecretValue::new(key), path, keeping: Mutex::new(()) })
    }

    /// Writes the key, if its file is not there: digests made with it are about to be kept.
    pub fn keep(&self) -> io::Result<()> {
        let _keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        if self.path.exists() {
            return Ok(());
        }
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        let new = self.path.with_extension("new");
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(self.key.expose())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        tree::durable::sync_dir(folder)
    }

    pub fn digest(&self, bytes: &[u8]) -> Digest {
        let mut mac = self.mac();
        mac.update(bytes);
        finish(mac)
    }

    /// Of all that can be read from `reader`.
    pub fn digest_of(&self, mut reader: impl Read) -> io::Result<Digest> {
        let mut mac = self.mac();
        let mut buffer = [0; 1 << 14];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(finish(mac)),
                Ok(length) => mac.update(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn mac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(self.key.expose()).expect("HMAC takes keys of any length")
    }
}

fn finish(mac: Hmac<Sha256>) -> Digest {
    Digest(hex::encode(mac.finalize().into_bytes()))
}

fn random() -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; BYTES];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::DigestKey;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_that_is_kept_gives_the_same_digests_and_is_roots_alone() {
        let folder = tempfile::tempdir().unwrap();
        let key = DigestKey::open(folder.path()).unwrap();
        key.keep().unwrap();
        let again = DigestKey::open(folder.path()).unwrap();
        assert_eq!(key.digest(b"x"), again.digest(b"x"));
        assert_eq!(key.digest(b"x"), key.digest_of(&b"x"[..]).unwrap());
        assert_ne!(key.digest(b"x"), key.digest(b"y"));
        let mode = std::fs::metadata(folder.path().join("digest.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn steps_that_keep_it_at_once_do_not_stand_in_each_others_way() {
        for _ in 0..50 {
            let folder = tempfile::tempdir().unwrap();
            let key = DigestKey::open(folder.path()).unwrap();
            std::thread::scope(|scope| {
                let keepers: Vec<_> = (0..4).map(|_| scope.spawn(|| key.keep())).collect();
                keepers.into_iter().for_each(|keeper| keeper.join().unwrap().unwrap());
            });
            let again = DigestKey::open(folder.path()).unwrap();
            assert_eq!(key.digest(b"x"), again.digest(b"x"));
        }
    }

    #[test]
    fn two_state_folders_have_different_digests() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, other) = (DigestKey::open(one.path()).unwrap(), DigestKey::open(other.path()).unwrap());
        assert_ne!(one.digest(b"x"), other.digest(b"x"));
    }
}
