//! The container's own name in a new root: /etc/hostname and /etc/hosts, as LXD's images make them from templates at
//! creation. systemd takes its host name from the one, programs resolve it by the other (127.0.1.1, as Debian has it).
//! Written once: what is done with them later is the container's affair.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

/// Larger files are no hosts tables.
const LARGEST: u64 = 1 << 20;

const USUAL: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

/// Writes both into `upper`, a new root's own part above `layer`. An image without a folder /etc has no names.
pub fn write(upper: &Path, layer: &Path, name: &str) -> io::Result<()> {
    let (image, own) = (layer.join("etc"), upper.join("etc"));
    let facts = match fs::symlink_metadata(&image) {
        Ok(facts) if facts.is_dir() => facts,
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    fs::DirBuilder::new().mode(0o700).create(&own)?;
    put(&own.join("hostname"), &format!("{name}\n"))?;
    let table = table(&image.join("hosts"))?;
    put(&own.join("hosts"), &hosts(table.as_deref().unwrap_or(USUAL), name))?;
    // The folder is merged with the image's, and shows this one's owner and mode.
    chown(&own, Some(facts.uid()), Some(facts.gid()))?;
    fs::set_permissions(&own, facts.permissions())
}

/// PURE. The table with the name in the place of another one's.
fn hosts(table: &str, name: &str) -> String {
    let is_own = |line: &&str| line.split_whitespace().next() == Some("127.0.1.1");
    let mut lines: Vec<&str> = table.lines().filter(|line| !is_own(line)).collect();
    let own = format!("127.0.1.1\t{name}");
    let after = lines.iter().position(|line| line.starts_with("127.0.0.1")).map_or(0, |at| at + 1);
    lines.insert(after, &own);
    lines.join("\n") + "\n"
}

/// None: the image has none that can be read.
fn table(path: &Path) -> io::Result<Option<String>> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) if file.metadata()?.is_file() => file,
        _ => return Ok(None),
    };
    let mut bytes = vec![];
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes).ok())
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_stands_in_the_place_of_another_one() {
        let table = "# made by hand\n127.0.0.1 localhost\n127.0.1.1 builder\n::1 localhost\n";
        let expected = "# made by hand\n127.0.0.1 localhost\n127.0.1.1\tweb-1\n::1 localhost\n";
        assert_eq!(hosts(table, "web-1"), expected);
        assert_eq!(hosts("", "web-1"), "127.0.1.1\tweb-1\n");
    }

    #[test]
    fn names_are_written_above_an_image_with_etc_only() {
        let folder = tempfile::tempdir().unwrap();
        let (upper, layer) = (folder.path().join("upper"), folder.path().join("layer"));
        fs::create_dir_all(&upper).unwrap();
        fs::create_dir_all(&layer).unwrap();
        write(&upper, &layer, "web-1").unwrap();
        assert_eq!(fs::read_dir(&upper).unwrap().count(), 0);
        fs::create_dir(layer.join("etc")).unwrap();
        fs::set_permissions(layer.join("etc"), fs::Permissions::from_mode(0o751)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", layer.join("etc/hosts")).unwrap();
        write(&upper, &layer, "web-1").unwrap();
        assert_eq!(fs::read_to_string(upper.join("etc/hostname")).unwrap(), "web-1\n");
        let hosts = fs::read_to_string(upper.join("etc/hosts")).unwrap();
        assert_eq!(
            hosts,
            "127.0.0.1\tlocalhost\n127.0.1.1\tweb-1\n::1\tlocalhost ip6-localhost ip6-loopback\n"
        );
        assert_eq!(fs::metadata(upper.join("etc")).unwrap().permissions().mode() & 0o777, 0o751);
    }
}
