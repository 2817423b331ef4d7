//! Who may declare what: one owner a key, and what a site takes along that has another name now.

use crate::model::desired::Desired;
use crate::model::finding::{Finding, Severity};
use crate::model::key::{Key, Kind};
use crate::model::observed::Observed;
use crate::model::origin::{FieldOrigins, Place};
use crate::model::record::{Owner, Parked, Record};

/// Whether the load says that the object comes from that owner.
pub fn moves(desired: &Desired, key: &Key, before: &Owner) -> bool {
    let Owner::Site(before) = before else { return false };
    let moved = [desired.moved_from.get(key), desired.moved_from.get(&Key::site(&desired.site))];
    moved.into_iter().flatten().any(|site| site == before)
}

/// The finding for a key that somebody else has.
pub fn owned_elsewhere(
    (key, before, now): (&Key, &Owner, &Owner),
    parked: Option<&Parked>,
    origins: Option<&FieldOrigins>,
) -> Finding {
    let state = parked.map_or(String::new(), |parked| format!(" (parked there until {:.0})", parked.until));
    let moved = match before {
        Owner::Site(site) => format!("; if it came from there, say `movedFromSite: {site}`"),
        Owner::System | Owner::Api => String::new(),
    };
    Finding {
        severity: Severity::Error,
        code: "owned-elsewhere",
        place: place_of(origins),
        key: Some(key.clone()),
        message: format!("{key} belongs to {before}{state}, and {now} declares it too"),
        help: Some(format!("remove it from one of them, or take it over with --take-ownership{moved}")),
    }
}

fn place_of(origins: Option<&FieldOrigins>) -> Option<Place> {
    origins.and_then(|origins| origins.get("")).and_then(|origin| origin.place.clone())
}

/// A Site that is new, and declares another one's objects, was probably renamed: what it would leave behind.
pub fn orphans(desired: &Desired, before: &Owner, observed: &Observed) -> Option<Finding> {
    let (Owner::Site(former), key) = (before, Key::site(&desired.site)) else { return None };
    if !desired.objects.contains_key(&key) || observed.records.contains_key(&key) {
        return None;
    }
    let declared =
        desired.objects.keys().filter(|key| key.kind != Kind::Site && !desired.builtin.contains(*key));
    let (known, new): (Vec<&Key>, Vec<&Key>) = declared.partition(|key| observed.records.contains_key(*key));
    if known.len() <= new.len() {
        return None;
    }
    let left = |(key, record): &(&Key, &Record)| {
        record.owner == *before && key.kind != Kind::Site && !desired.objects.contains_key(*key)
    };
    let left: Vec<String> = observed.records.iter().filter(left).map(|(key, _)| key.to_string()).collect();
    let orphans = match left.is_empty() {
        true => String::new(),
        false => format!("; {} would stay with site {former}, which nobody loads any more", left.join(", ")),
    };
    Some(Finding {
        severity: Severity::Error,
        code: "renamed-site",
        place: place_of(desired.origins.get(&key)),
        key: Some(key),
        message: format!(
            "site {} is new, and declares what belongs to site {former}: it looks renamed{orphans}",
            desired.site
        ),
        help: Some(format!("say `movedFromSite: {former}` in the metadata of the Site; it takes all along")),
    })
}
