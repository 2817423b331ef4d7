//! Which names objects, devices and interfaces may have.

use super::registry::value::{BadValue, bad};
use crate::model::key::Kind;

/// The longest name of an object (DNS label, RFC 1035; LXD's instance names).
pub const MAX_NAME: usize = 63;

/// The longest name of a network interface (IFNAMSIZ less the closing zero).
pub const MAX_INTERFACE: usize = 15;

/// What the kernel calls its own in the place of an interface's name.
pub const KERNELS_OWN: [&str; 3] = ["lo", "all", "default"];

/// The name of an object of this kind.
pub fn of_kind(kind: Kind, name: &str) -> Result<(), BadValue> {
    match kind {
        Kind::Container => instance(name),
        Kind::Network => object(name).and_then(|()| interface(name)),
        _ => object(name),
    }
}

/// Letters, digits, hyphen, dot and underscore; begins with a letter or digit.
pub fn object(name: &str) -> Result<(), BadValue> {
    common(name, "letters, digits, `-`, `_` and `.`", |c| matches!(c, '-' | '_' | '.'))?;
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(bad("a name that begins with a letter or a digit", None));
    }
    if name.contains("..") {
        return Err(bad("a name without `..`", None));
    }
    Ok(())
}

/// A container's name is its host name: letters, digits and hyphen; begins with a letter, does not end with a hyphen
/// (LXD's rule for instances).
fn instance(name: &str) -> Result<(), BadValue> {
    common(name, "letters, digits and `-`", |c| c == '-')?;
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(bad(
            "a name that begins with a letter",
            Some("a container's name is its host name".to_owned()),
        ));
    }
    if name.ends_with('-') {
        return Err(bad("a name that does not end with `-`", None));
    }
    Ok(())
}

fn common(name: &str, wanted: &str, extra: impl Fn(char) -> bool) -> Result<(), BadValue> {
    if name.is_empty() {
        return Err(bad("a name", None));
    }
    let length = name.chars().count();
    if length > MAX_NAME {
        return Err(bad(format!("at most {MAX_NAME} characters"), Some(format!("it has {length}"))));
    }
    match name.chars().find(|c| !c.is_ascii_alphanumeric() && !extra(*c)) {
        Some(wrong) => Err(bad(format!("a name of {wanted}"), Some(format!("`{wrong}` is not allowed")))),
        None => Ok(()),
    }
}

/// What the kernel takes (dev_valid_name in net/core/dev.c), less what shells and tools trip over.
pub fn interface(name: &str) -> Result<(), BadValue> {
    let length = name.chars().count();
    if length > MAX_INTERFACE {
        let help = format!("it has {length}; the kernel takes no longer name of an interface");
        return Err(bad(format!("at most {MAX_INTERFACE} characters"), Some(help)));
    }
    let is_valid = !name.is_empty()
        && name != "."
        && name != ".."
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    match is_valid {
        true if KERNELS_OWN.contains(&name) => {
            Err(bad("a name that is not the kernel's own (lo, all, default)", None))
        }
        true => Ok(()),
        false => Err(bad("an interface name of letters, digits, `-`, `_` and `.`", None)),
    }
}

/// A device's name in a manifest: as LXD, letters, digits, hyphen, dot and underscore.
pub fn device(name: &str) -> Result<(), BadValue> {
    common(name, "letters, digits, `-`, `_` and `.`", |c| matches!(c, '-' | '_' | '.'))
}

/// The key of a label or annotation: Kubernetes' form, `name` or `domain/name`.
pub fn label(key: &str) -> Result<(), BadValue> {
    let name = key.split_once('/').map_or(key, |(_, name)| name);
    common(name, "letters, digits, `-`, `_` and `.`", |c| matches!(c, '-' | '_' | '.'))?;
    match key.split_once('/') {
        Some((domain, _)) => {
            common(domain, "letters, digits, `-` and `.` before the `/`", |c| matches!(c, '-' | '.'))
        }
        None => Ok(()),
    }
}
