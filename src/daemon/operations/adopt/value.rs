//! A drift → what a manifest would say instead.

use super::{FileTexts, Value};
use crate::model::content::{Content, SecretSource, SourceFile};
use crate::model::key::{Key, Kind};
use crate::model::object::Spec;
use crate::model::step::{Reason, Step};
use crate::reconcile::plan::Plan;
use ipnet::IpNet;
use std::collections::BTreeSet;

/// What may be said of a file, each in a field of its own.
const FILE_PARTS: [&str; 4] = ["content", "mode", "owner", "group"];

/// `files.PATH.mode` → the path, and `mode`.
pub fn file_part(field: &str) -> Option<(&str, &str)> {
    let (path, part) = field.strip_prefix("files.")?.rsplit_once('.')?;
    FILE_PARTS.contains(&part).then_some((path, part))
}

/// `devices.NAME` → the name.
pub fn device(field: &str) -> Option<&str> {
    field.strip_prefix("devices.")
}

/// `devices.NAME.OPTION` → both; names and options may have dots.
pub fn device_option<'f>(plan: &Plan, key: &Key, field: &'f str) -> Option<(&'f str, &'f str)> {
    let Spec::Container(container) = &plan.objects.get(key)?.after.as_ref()?.spec else { return None };
    let rest = device(field)?;
    let options = |name: &String| Some((name.len(), rest.strip_prefix(name.as_str())?.strip_prefix('.')?));
    let (length, option) = container.devices.keys().filter_map(options).max_by_key(|(length, _)| *length)?;
    Some((&rest[..length], option))
}

/// The files whose content inside is asked for, to adopt it.
pub fn wanted_contents(plan: &Plan, keys: &BTreeSet<Key>) -> BTreeSet<(Key, String)> {
    let drifted = super::drifted(plan, keys);
    let wanted = drifted.filter_map(|(step, reason)| {
        let (path, "content") = file_part(&reason.field)? else { return None };
        let content = content(plan, &step.key, path)?;
        secret(plan, content).is_none().then(|| (step.key.clone(), path.to_owned()))
    });
    wanted.collect()
}

/// The files beside the manifests that what was read comes from.
pub fn sources(plan: &Plan, texts: &FileTexts) -> BTreeSet<SourceFile> {
    let source = |((key, path), _): (&(Key, String), _)| match content(plan, key, path)? {
        Content::File(file) => Some(file.clone()),
        _ => None,
    };
    texts.iter().filter(|(_, text)| text.is_ok()).filter_map(source).collect()
}

/// Whose secret a content is; a file beside the manifests may be a secret's own.
fn secret(plan: &Plan, content: &Content) -> Option<String> {
    let file = match content {
        Content::Text(_) => return None,
        Content::Secret(_) | Content::Variable(_) => return Some("it is a secret's".to_owned()),
        Content::File(file) => file.root.join(&file.path),
    };
    let secret = SecretSource::File(file);
    // Of those that are recorded already the reader of contents knows.
    let mut objects = plan.objects.values().filter_map(|change| change.after.as_ref());
    objects
        .any(|object| object.spec.secrets().contains(&&secret))
        .then(|| format!("its source is a secret's ({secret})"))
}

/// Of a file inside, as it is declared.
pub fn content<'p>(plan: &'p Plan, key: &Key, path: &str) -> Option<&'p Content> {
    match &plan.objects.get(key)?.after.as_ref()?.spec {
        Spec::Container(container) => Some(&container.files.get(path)?.from),
        _ => None,
    }
}

/// The fields that say what the host has, with their values.
pub fn values(
    plan: &Plan,
    step: &Step,
    reason: &Reason,
    texts: &FileTexts,
) -> Result<Vec<(String, Value)>, String> {
    let field = reason.field.as_str();
    let found = reason.from.as_deref();
    let plain = |value: Option<&str>| {
        let value = value.map_or(Value::Null, |value| Value::Scalar(value.to_owned()));
        Ok(vec![(field.to_owned(), value)])
    };
    match step.key.kind {
        Kind::Network if field.ends_with(".address") => addresses(reason),
        Kind::Network if field == "config.bridge.mtu" => plain(found),
        Kind::Container if field == "state" || field.starts_with("config.limits.") => plain(found),
        Kind::Container => match (file_part(field), field.strip_suffix(".type").and_then(device)) {
            (Some((path, "content")), _) => {
                let text = file_content(plan, &step.key, path, texts)?;
                Ok(vec![(field.to_owned(), Value::Scalar(text))])
            }
            (Some((_, "mode")), _) => plain(found),
            (Some(_), _) => plain(found.map(name_of)),
            (None, Some(name)) if found == Some("none") => {
                Ok(vec![(format!("devices.{name}"), Value::NoDevice)])
            }
            _ if matches!(
                device_option(plan, &step.key, field),
                Some((_, "network" | "parent" | "readonly"))
            ) =>
            {
                plain(found)
            }
            _ if field.starts_with("files./") && found == Some("nothing") => plain(None),
            _ => Err(unspeakable(reason)),
        },
        _ => Err(unspeakable(reason)),
    }
}

fn unspeakable(reason: &Reason) -> String {
    let note = reason.note.as_ref().map_or(String::new(), |note| format!("{note}; "));
    format!("{note}a manifest cannot say that; `bayplan apply` repairs it")
}

/// `33 or www-data`: a name says more than a number.
fn name_of(words: &str) -> &str {
    let is_name = |word: &&str| !word.bytes().all(|byte| byte.is_ascii_digit());
    words.split(" or ").find(is_name).or_else(|| words.split(" or ").next()).unwrap_or(words)
}

fn file_content(plan: &Plan, key: &Key, path: &str, texts: &FileTexts) -> Result<String, String> {
    match content(plan, key, path).and_then(|content| secret(plan, content)) {
        Some(why) => Err(format!("{why}; change the secret where it is, or `bayplan apply`")),
        None => match texts.get(&(key.clone(), path.to_owned())) {
            Some(text) => text.clone(),
            None => Err("what is in it was not read".to_owned()),
        },
    }
}

/// A bridge's addresses, which are told at once, by family.
fn addresses(reason: &Reason) -> Result<Vec<(String, Value)>, String> {
    let parse = |side: &Option<String>| -> BTreeSet<IpNet> {
        side.iter().flat_map(|text| text.split(", ")).filter_map(|address| address.parse().ok()).collect()
    };
    let (found, wanted) = (parse(&reason.from), parse(&reason.to));
    let mut values = vec![];
    for (field, is_family) in [
        ("config.ipv4.address", (|net: &&IpNet| matches!(net, IpNet::V4(_))) as fn(&&IpNet) -> bool),
        ("config.ipv6.address", |net| matches!(net, IpNet::V6(_))),
    ] {
        let of = |nets: &BTreeSet<IpNet>| -> Vec<IpNet> { nets.iter().filter(is_family).copied().collect() };
        match &of(&found)[..] {
            same if same == of(&wanted) => {}
            [] => values.push((field.to_owned(), Value::Scalar("none".to_owned()))),
            [one] => values.push((field.to_owned(), Value::Scalar(one.to_string()))),
            several => {
                let count = several.len();
                return Err(format!("the bridge has {count} addresses of one family, a manifest says one"));
            }
        }
    }
    Ok(values)
}
