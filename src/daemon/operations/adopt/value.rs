//! A drift → what a manifest would say instead.

use super::{FileTexts, Value};
use crate::model::content::Content;
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

/// The files whose content inside is asked for, to adopt it.
pub fn wanted_contents(plan: &Plan, keys: &BTreeSet<Key>) -> BTreeSet<(Key, String)> {
    let drifted = super::drifted(plan, keys);
    let wanted = drifted.filter_map(|(step, reason)| {
        let (path, "content") = file_part(&reason.field)? else { return None };
        matches!(content(plan, &step.key, path), Some(Content::Text(_)))
            .then(|| (step.key.clone(), path.to_owned()))
    });
    wanted.collect()
}

fn content<'p>(plan: &'p Plan, key: &Key, path: &str) -> Option<&'p Content> {
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
    match content(plan, key, path) {
        Some(Content::Secret(_) | Content::Variable(_)) => {
            Err("it is a secret's; change the secret where it is, or `bayplan apply`".to_owned())
        }
        Some(Content::File(file)) => Err(format!(
            "it comes from {}; take it there with `bayplan exec {} -T -- cat {path} > {0}`",
            file.root.join(&file.path).display(),
            key.name
        )),
        _ => match texts.get(&(key.clone(), path.to_owned())) {
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
