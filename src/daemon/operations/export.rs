//! `export`: what was last declared as a minimal site. Its plan on this host is empty.

use super::plan::{known, recorded_objects};
use super::sets;
use crate::api::error::{Failure, FailureKind};
use crate::api::types::{Export, ExportRequest, OUTPUT_VERSION};
use crate::daemon::wiring::Bay;
use crate::driver::Scope;
use crate::model::content::Content;
use crate::model::desired::Desired;
use crate::model::key::{Key, Kind};
use crate::model::object::{Object, Spec};
use crate::model::observed::Observed;
use crate::model::record::Owner;
use crate::model::references::references;
use crate::reconcile::world::recorded;
use crate::spec::{LoadContext, minimal};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

impl Bay {
    pub fn export(&self, request: &ExportRequest) -> Result<Export, Failure> {
        let observed = self.observe(&Scope::All)?;
        let (site, keys) = if request.keys.is_empty() {
            let site = site(request.site.as_deref(), &observed)?;
            let owner = Owner::Site(site.clone());
            let own = observed.records.iter().filter(|(_, record)| record.owner == owner);
            let in_service = own.filter(|(_, record)| record.parked.is_none() && !record.retiring);
            (site, in_service.map(|(key, _)| key.clone()).collect())
        } else {
            let keys = sets::members(&request.keys, recorded_objects(&observed));
            keys.iter().try_for_each(|key| known(key, &observed))?;
            let owner =
                keys.iter().filter_map(|key| observed.records.get(key)).map(|record| &record.owner).next();
            (owner.map_or(String::new(), site_name), keys)
        };
        let desired = declared(&site, keys, &observed);
        let context = LoadContext::new(&observed.host.architecture);
        let documents = minimal::documents(&desired, &context, &folder(&desired));
        let wanted = |key: &Key| !request.alone || request.keys.contains(key);
        let documents =
            documents.into_iter().filter(|(key, _)| wanted(key)).map(|(_, document)| document).collect();
        Ok(Export { version: OUTPUT_VERSION, site, documents })
    }
}

/// The site that is named, or the only one.
fn site(named: Option<&str>, observed: &Observed) -> Result<String, Failure> {
    let owners = observed.records.values().map(|record| &record.owner);
    let sites: BTreeSet<String> =
        owners.filter(|owner| matches!(owner, Owner::Site(_))).map(site_name).collect();
    let names = || sites.iter().cloned().collect::<Vec<_>>().join(", ");
    match named {
        Some(named) if sites.contains(named) => Ok(named.to_owned()),
        Some(named) => Err(Failure::new(
            FailureKind::NotFound,
            format!("there is no site {named}; sites are {}", names()),
        )),
        None => match sites.len() {
            0 => Err(Failure::new(FailureKind::NotFound, "nothing was declared here yet")),
            1 => Ok(names()),
            _ => Err(Failure::new(
                FailureKind::Refused,
                format!("there are several sites; add --site NAME: {}", names()),
            )),
        },
    }
}

fn site_name(owner: &Owner) -> String {
    match owner {
        Owner::Site(name) => name.clone(),
        Owner::System | Owner::Api => String::new(),
    }
}

/// These objects and what they need: another owner's as external, the built-in ones as what they are.
fn declared(site: &str, keys: BTreeSet<Key>, observed: &Observed) -> Desired {
    let mut desired = Desired { site: site.to_owned(), ..Desired::default() };
    let owner = Owner::Site(site.to_owned());
    let mut open: Vec<Key> = keys.into_iter().collect();
    while let Some(key) = open.pop() {
        if desired.objects.contains_key(&key) || desired.external.contains(&key) {
            continue;
        }
        let record = observed.records.get(&key);
        let object = record.and_then(recorded);
        match (record.map(|record| &record.owner), object) {
            (Some(Owner::System), Some(object)) => {
                desired.builtin.insert(key.clone());
                desired.objects.insert(key, object.clone());
            }
            (Some(other), Some(_)) if *other != owner && may_be_external(&key) => {
                desired.external.insert(key);
            }
            (_, Some(object)) => {
                open.extend(references(object));
                desired.objects.insert(key, object.clone());
            }
            (_, None) if may_be_external(&key) => drop(desired.external.insert(key)),
            (_, None) => {}
        }
    }
    desired
}

fn may_be_external(key: &Key) -> bool {
    matches!(key.kind, Kind::Image | Kind::StoragePool | Kind::Network | Kind::Container)
}

/// Where the files beside the manifests are.
fn folder(desired: &Desired) -> PathBuf {
    let files = desired.objects.values().filter_map(|object: &Object| match &object.spec {
        Spec::Container(container) => Some(container.files.values().collect::<Vec<_>>()),
        Spec::Profile(profile) => Some(profile.files.values().flatten().collect()),
        _ => None,
    });
    let root = files.flatten().find_map(|file| match &file.from {
        Content::File(source) => Some(source.root.clone()),
        Content::Text(_) | Content::Secret(_) | Content::Variable(_) => None,
    });
    root.unwrap_or_else(|| Path::new("/").to_owned())
}
