//! A name and a text as written → the value's normal form, or what is wrong with them.

use super::super::document::reader::quoted;
use super::super::report::Wrong;
use super::{Entry, Support, Table};
use crate::model::words::{alternatives, did_you_mean, nearest};

/// The value's normal form. An explicit default is kept: it may override a lower layer ([`is_default`] drops it
/// later).
pub fn normalise(table: &Table, name: &str, text: &str) -> Result<String, Wrong> {
    normal_form(self::name(table, name)?, name, text)
}

/// The same of a name whose entry was found already.
pub fn normal_form(entry: &Entry, name: &str, text: &str) -> Result<String, Wrong> {
    if text.contains('\0') {
        return Err(Wrong::new("bad-value", format!("`{name}` holds a zero byte")).help("remove it"));
    }
    entry.value.normalise(text).map_err(|bad| {
        let message = format!("`{name}` must be {}; it is {}", bad.wanted, quoted(text));
        Wrong::new("bad-value", message).maybe_help(bad.help)
    })
}

/// The entry of a name that this version supports and that is well formed.
pub fn name<'t>(table: &'t Table, name: &str) -> Result<&'t Entry, Wrong> {
    let entry = supported(table, name)?;
    pattern_name(entry, name).map(|()| entry)
}

/// The entry of a name that this version supports.
fn supported<'t>(table: &'t Table, name: &str) -> Result<&'t Entry, Wrong> {
    let Some(entry) = table.find(name) else {
        let message = format!("`{name}` is no {}", table.noun);
        let help = of_family(table, name).or_else(|| likely(table, name)).or_else(|| fallback(table));
        return Err(Wrong::new("unknown-key", message).maybe_help(help));
    };
    match entry.support {
        Support::Supported => Ok(entry),
        Support::NotYet => {
            let message = format!("`{name}` is not supported yet");
            Err(Wrong::new("not-supported", message)
                .help("remove it; docs/config-keys.md lists what is supported"))
        }
        Support::Never(reason) => {
            Err(Wrong::new("not-supported", format!("`{name}` is not supported: {reason}")).help("remove it"))
        }
    }
}

/// For a name whose first words are those of known ones (`limits.kernel.`): only its last word can be wrong, so it is
/// likened to theirs alone.
fn of_family(table: &Table, name: &str) -> Option<String> {
    let (family, word) = name.rsplit_once('.')?;
    if table.entries.contains_key(format!("{family}.*").as_str()) {
        return Some(format!("`{family}.` goes on with a name: `{family}.NAME`"));
    }
    let last = |entry: &'static str| entry.strip_prefix(family)?.strip_prefix('.');
    let supported = || table.supported().filter_map(|entry| last(entry.name));
    let near =
        nearest(word, supported()).or_else(|| nearest(word, table.entries.keys().copied().filter_map(last)));
    if let Some(near) = near {
        return Some(format!("did you mean `{family}.{near}`?"));
    }
    let words: Vec<&str> = supported().filter(|word| !word.contains(['.', '*'])).collect();
    (!words.is_empty()).then(|| format!("`{family}.` goes on with {}", alternatives(words)))
}

fn likely(table: &Table, name: &str) -> Option<String> {
    let known = table.supported().map(|entry| entry.name);
    did_you_mean(name, known)
        .or_else(|| did_you_mean(name, table.entries.keys().copied()))
        .map(|help| help.replace(".*", ".NAME"))
}

fn fallback(table: &Table) -> Option<String> {
    table
        .entries
        .contains_key("user.*")
        .then(|| "docs/config-keys.md lists them; keys of your own begin with `user.`".to_owned())
}

/// Whether a normal form is what the key is without it.
pub fn is_default(table: &Table, name: &str, value: &str) -> bool {
    table.find(name).is_some_and(|entry| entry.default == Some(value))
}

/// The parameters that a namespace has its own of, beside all of `net.`, `fs.mqueue.` and `user.max_` (namespaces(7),
/// ipc_namespaces(7), uts_namespaces(7)).
pub const OF_NAMESPACES: [&str; 10] = [
    "kernel.domainname",
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shm_rmid_forced",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.auto_msgmni",
];

/// Refuses what would be set for the whole host.
fn of_namespace(parameter: &str) -> Result<(), Wrong> {
    if parameter == "kernel.hostname" {
        let message = "`linux.sysctl.kernel.hostname` cannot be set: a container's host name is its name";
        return Err(Wrong::new("bad-value", message).help("remove it"));
    }
    let wholly = ["net.", "fs.mqueue.", "user.max_"].iter().any(|prefix| parameter.starts_with(prefix));
    if wholly || OF_NAMESPACES.contains(&parameter) {
        return Ok(());
    }
    let message = format!("`linux.sysctl.{parameter}` is the whole host's: no namespace has its own");
    let help = format!("set it on the host: `sysctl -w {parameter}=…`, /etc/sysctl.d");
    Err(Wrong::new("bad-value", message).help(help))
}

/// What a name may be below `environment.` and `linux.sysctl.`.
fn pattern_name(entry: &Entry, name: &str) -> Result<(), Wrong> {
    let wrong = |help: &str| Err(Wrong::new("bad-value", format!("`{name}` is no valid name")).help(help));
    match entry.name {
        "environment.*" if name.contains(['=', '\0']) => wrong("a variable's name has no `=`"),
        "linux.sysctl.*" if name.contains('/') || name.contains("..") || name.ends_with('.') => {
            wrong("write the parameter with dots: `linux.sysctl.net.ipv4.ip_forward`")
        }
        "linux.sysctl.*" => of_namespace(name.trim_start_matches("linux.sysctl.")),
        _ => Ok(()),
    }
}
