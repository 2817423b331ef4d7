//! Documents → objects: duplicates, profile expansion, built-in defaults, references, and what no object can see alone.

pub mod addresses;
pub mod builtin;
pub mod containers;
pub mod contents;
pub mod cycles;
pub mod devices;
pub mod ignore;
pub mod layers;
pub mod overridden;
pub mod paths;
pub mod persist;
pub mod references;
pub mod renames;

use super::SourceText;
use super::document::image::SourceSpec;
use super::document::profile::ProfileSpec;
use super::document::site::SiteSpec;
use super::document::{Body, Document};
use super::render::{Rendered, Unrendered};
use super::report::{Report, Wrong};
use crate::model::desired::Desired;
use crate::model::key::{Key, Kind};
use crate::model::object::{Image, ImageSource, Network, Object, Profile, Secret, Site, Spec, StoragePool};
use crate::model::origin::{FieldOrigins, Layer, Origin};
use crate::model::prune::{DEFAULT_SITE, PruneMode};
use layers::{MergedDevice, Written};
use paths::Folders;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The documents of a load by key.
pub type Documents = BTreeMap<Key, Document>;

/// Where a load is resolved.
pub struct Here<'l> {
    pub texts: &'l [SourceText],
    /// The host's processor in Debian's word: `amd64`.
    pub architecture: &'l str,
    /// Its name, where the load has hosts.
    pub host: Option<&'l str>,
}

/// What resolving builds up.
pub struct Resolution<'l> {
    pub documents: &'l Documents,
    pub folders: Folders<'l>,
    pub here: &'l Here<'l>,
    /// What is rendered for other hosts only.
    pub elsewhere: &'l BTreeMap<Key, Unrendered>,
    /// The members of each set.
    pub sets: &'l BTreeMap<Key, Vec<Key>>,
    pub desired: Desired,
    /// How many dependencies on members may still be written out.
    pub dependencies: Cell<usize>,
}

/// The most dependencies that `dependsOn` on sets may stand for in one load.
pub const MAX_DEPENDENCIES: usize = 200_000;

/// Resolves all documents. What it returns is valid only if the report has no errors.
pub fn resolve(rendered: Rendered, here: &Here, report: &mut Report) -> Desired {
    let Rendered { documents, elsewhere, sets, .. } = rendered;
    let documents = collect(documents, report);
    let folders = Folders { texts: here.texts };
    let desired = Desired { site: site_name(&documents), ..Desired::default() };
    let mut resolution = Resolution {
        documents: &documents,
        folders,
        here,
        elsewhere: &elsewhere,
        sets: &sets,
        desired,
        dependencies: Cell::new(MAX_DEPENDENCIES),
    };
    for (key, document) in &documents {
        report.key = Some(key.clone());
        if let Some(site) = &document.moved_from {
            resolution.desired.moved_from.insert(key.clone(), site.clone());
        }
        if let Some(former) = &document.renamed_from {
            resolution.desired.renamed_from.insert(key.clone(), former.clone());
        }
        if matches!(document.body, Body::External) {
            let origins = resolution.document_origins(document, report);
            resolution.desired.external.insert(key.clone());
            resolution.desired.origins.insert(key.clone(), origins);
        }
        if let Some((spec, origins)) = resolution.object(document, report) {
            let mut meta = document.meta.clone();
            meta.deletion = meta.deletion.filter(|deletion| *deletion != spec.usual_deletion());
            let object = Object { meta, spec };
            resolution.desired.objects.insert(key.clone(), object);
            resolution.desired.origins.insert(key.clone(), origins);
        }
    }
    resolution.add_builtins();
    renames::check(&resolution, report);
    references::check(&resolution, report);
    cycles::check(&resolution, report);
    addresses::check(&resolution, report);
    resolution.desired
}

/// By key; a second document of a key is a finding that names both places.
fn collect(documents: Vec<Document>, report: &mut Report) -> Documents {
    let mut collected = Documents::new();
    let mut site: Option<(Key, super::tree::Mark)> = None;
    for document in documents {
        report.key = Some(document.key.clone());
        if let Some(first) = collected.get(&document.key) {
            let message = format!("{} is declared twice{}", document.key, of_set(&document));
            let place = report.place(first.mark);
            let help = format!("the first one is at {place}{}; rename or remove one", of_set(first));
            report.error(document.mark, Wrong::new("duplicate-object", message).help(help));
            continue;
        }
        if document.key.kind == Kind::Site {
            if let Some((first, mark)) = &site {
                let message = format!("a load has one Site; {first} and {} are two", document.key);
                let help = format!("the first one is at {}; load them apart", report.place(*mark));
                report.error(document.mark, Wrong::new("duplicate-object", message).help(help));
            }
            site.get_or_insert((document.key.clone(), document.mark));
        }
        collected.insert(document.key.clone(), document);
    }
    report.key = None;
    collected
}

/// For a set's member: of which.
fn of_set(document: &Document) -> String {
    let set = document.meta.member_of.as_ref().filter(|_| document.layer != Layer::Document);
    set.map(|set| format!(" (a member of {set})")).unwrap_or_default()
}

/// The Site document's name; without one, site `default`.
fn site_name(documents: &Documents) -> String {
    let site = documents.keys().find(|key| key.kind == Kind::Site);
    site.map_or_else(|| DEFAULT_SITE.to_owned(), |key| key.name.clone())
}

/// Warns of a `prune` that has no effect.
fn never_pruned(site: &SiteSpec, document: &Document, report: &mut Report) {
    let is_said = document.marks.contains_key("prune") && site.prune.mode != PruneMode::Off;
    if document.key.name == DEFAULT_SITE && is_said {
        let message = "site `default` is never pruned: all that is loaded without a Site document is its own";
        let help = "give it a name of its own, and `movedFromSite: default` takes over what it has";
        report.warning(document.mark_of("prune.mode"), Wrong::new("never-pruned", message).help(help));
    }
}

impl Resolution<'_> {
    fn object(&self, document: &Document, report: &mut Report) -> Option<(Spec, FieldOrigins)> {
        let mut origins = self.document_origins(document, report);
        let spec = match &document.body {
            Body::Site(site) => {
                never_pruned(site, document, report);
                Spec::Site(Site {
                    heal: site.heal,
                    prune: site.prune.clone(),
                    rollout: site.rollout.clone(),
                    unmanaged: site.unmanaged,
                })
            }
            Body::External => return None,
            Body::Image(image) => {
                let source = self.image_source(&image.source, document, report)?;
                Spec::Image(Image { source, fingerprint: image.fingerprint.clone() })
            }
            Body::StoragePool(pool) => {
                let source = match &pool.source {
                    Some(path) => Some(self.host_path(path, document, "source", report)?),
                    None => None,
                };
                Spec::StoragePool(StoragePool { driver: pool.driver, source, config: Default::default() })
            }
            Body::Network(network) => {
                Spec::Network(Network { network_type: network.network_type, config: network.config.clone() })
            }
            Body::Secret(secret) => {
                Spec::Secret(Secret { from: self.secret_source(secret, document.mark, report)? })
            }
            Body::Profile(profile) => Spec::Profile(self.profile(profile, document, report)),
            Body::Container(container) => {
                Spec::Container(Box::new(self.container(container, document, &mut origins, report)?))
            }
        };
        Some((spec, origins))
    }

    /// Every place in the document, with the object itself as the empty path. A container's merged fields get theirs where
    /// they are merged.
    fn document_origins(&self, document: &Document, report: &Report) -> FieldOrigins {
        let origin = |mark| Origin {
            filled: report.filled_places(mark),
            ..Origin::new(Some(report.place(mark)), document.layer.clone())
        };
        let envelope = |path: &str| matches!(path, "apiVersion" | "kind" | "metadata" | "spec");
        let merges: &[&str] = match document.body {
            Body::Container(_) => &["config", "devices", "files", "environment"],
            _ => &[],
        };
        let is_merged = |path: &str| merges.iter().any(|field| path.starts_with(field));
        let marks = document.marks.iter().filter(|(path, _)| !envelope(path) && !is_merged(path));
        let mut origins: FieldOrigins = marks.map(|(path, mark)| (path.clone(), origin(*mark))).collect();
        origins.insert(String::new(), origin(document.mark));
        origins
    }

    fn image_source(
        &self,
        source: &SourceSpec,
        document: &Document,
        report: &mut Report,
    ) -> Option<ImageSource> {
        Some(match source {
            SourceSpec::Busybox {} => ImageSource::Busybox {},
            SourceSpec::Directory(path) => {
                ImageSource::Directory { path: self.host_path(path, document, "source.directory", report)? }
            }
            SourceSpec::Bootstrap(bootstrap) => ImageSource::Bootstrap {
                suite: bootstrap.suite.clone(),
                include: bootstrap.include.clone(),
                snapshot: bootstrap.snapshot.clone(),
            },
        })
    }

    fn host_path(&self, text: &str, document: &Document, path: &str, report: &mut Report) -> Option<PathBuf> {
        let mark = document.mark_of(path);
        match self.folders.resolve(mark, text) {
            Ok(text) => Some(PathBuf::from(text)),
            Err(wrong) => {
                report.error(mark, wrong);
                None
            }
        }
    }

    /// The profile with the options of its typed devices in their normal form.
    fn profile(&self, profile: &ProfileSpec, document: &Document, report: &mut Report) -> Profile {
        let mut devices = profile.devices.clone();
        let context = devices::Context { folders: &self.folders, mark: document.mark };
        for (name, device) in &mut devices {
            let Some(device_type) = device.device_type.as_deref().filter(|text| *text != "none") else {
                continue;
            };
            let path = format!("devices.{name}");
            let written = |value: &str, path: &str| Written {
                value: value.to_owned(),
                mark: Some(document.mark_of(path)),
                name: document.names.get(path).copied(),
                layer: Layer::Document,
            };
            let options = device.options.iter().filter_map(|(option, value)| {
                Some((option.clone(), written(value.as_deref()?, &format!("{path}.{option}"))))
            });
            let merged = MergedDevice {
                device_type: written(device_type, &format!("{path}.type")),
                named: Written {
                    value: (),
                    mark: Some(document.mark_of(&path)),
                    name: None,
                    layer: Layer::Document,
                },
                options: options.collect(),
            };
            if let Some(normal) = devices::check_layer(&merged, &context, report) {
                device.options.extend(normal.into_iter().map(|(option, value)| (option, Some(value))));
            }
        }
        let (mut files, mut environment) = (BTreeMap::new(), BTreeMap::new());
        for (path, file) in &profile.files {
            let mark = document.mark_of(&format!("files.{path}"));
            match file.as_ref().map(|file| self.file(path, file, mark, report)) {
                Some(None) => {}
                resolved => drop(files.insert(path.clone(), resolved.flatten())),
            }
        }
        for (name, secret) in &profile.environment {
            let mark = document.mark_of(&format!("environment.{name}"));
            let what = format!("variable {name}");
            match secret.as_ref().map(|secret| self.secret_ref(secret, &what, mark, report)) {
                Some(None) => {}
                resolved => drop(environment.insert(name.clone(), resolved.flatten())),
            }
        }
        Profile { config: profile.config.clone(), devices, files, environment }
    }

    /// Adds the built-ins that something refers to and nobody declares.
    fn add_builtins(&mut self) {
        let mut wanted: Vec<Key> = vec![];
        for object in self.desired.objects.values() {
            wanted.extend(references::of(object).into_iter().map(|(_, key)| key));
        }
        for key in wanted {
            let is_known = self.documents.contains_key(&key) || self.elsewhere.contains_key(&key);
            if is_known || self.desired.objects.contains_key(&key) {
                continue;
            }
            if let Some(object) = builtin::object(&key) {
                let origin = containers::built_in();
                self.desired.origins.insert(key.clone(), FieldOrigins::from([(String::new(), origin)]));
                self.desired.builtin.insert(key.clone());
                self.desired.objects.insert(key, object);
            }
        }
    }
}
