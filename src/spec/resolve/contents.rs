//! Files and secrets of one container: layers merged, paths and references resolved.

use super::layers::{Layered, Written};
use super::{Resolution, references};
use crate::model::content::{Content, SecretRef, SecretSource, SourceFile};
use crate::model::key::Key;
use crate::model::object::{ContainerFile, DeviceType, Devices};
use crate::model::origin::FieldOrigins;
use crate::spec::document::files::{FIELDS, FileSpec, FromSpec, below};
use crate::spec::document::secret::{SecretRefSpec, SecretSpec};
use crate::spec::document::{Body, Document};
use crate::spec::report::{Report, Wrong};
use crate::spec::tree::Mark;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What all layers together say, with the place of each file and variable.
#[derive(Debug, Default)]
pub struct MergedContents<'l> {
    pub files: BTreeMap<String, Written<&'l FileSpec>>,
    /// `files.PATH.FIELD` → where that is written.
    pub file_fields: BTreeMap<String, Written<()>>,
    pub environment: BTreeMap<String, Written<&'l SecretRefSpec>>,
}

/// A later layer wins for each path and each variable; none takes away. A plain variable of a later layer wins over a
/// secret one too.
pub fn merge<'l>(layers: &'l [Layered<'l>]) -> MergedContents<'l> {
    let mut merged = MergedContents::default();
    for layer in layers {
        for (path, file) in layer.files {
            let below = format!("files.{path}.");
            let is_of_it =
                |field: &str| field.strip_prefix(&below).is_some_and(|it| FIELDS.known.contains(&it));
            merged.file_fields.retain(|field, _| !is_of_it(field));
            match file {
                None => drop(merged.files.remove(path)),
                Some(file) => {
                    merged.files.insert(path.clone(), layer.written(file, &format!("files.{path}")));
                    merged.file_fields.extend(file_fields(path, layer));
                }
            }
        }
        let plain = layer.config.keys().filter_map(|key| key.strip_prefix("environment."));
        plain.for_each(|name| drop(merged.environment.remove(name)));
        for (name, secret) in layer.environment {
            match secret {
                None => drop(merged.environment.remove(name)),
                Some(secret) => {
                    let written = layer.written(secret, &format!("environment.{name}"));
                    merged.environment.insert(name.clone(), written);
                }
            }
        }
    }
    merged
}

/// The fields of a file that its layer writes, by the names that a file has them under: a template's text is a content.
fn file_fields<'l>(
    path: &'l str,
    layer: &'l Layered<'_>,
) -> impl Iterator<Item = (String, Written<()>)> + 'l {
    FIELDS.known.iter().filter_map(move |field| {
        let mark = *layer.document?.marks.get(&format!("files.{path}.{field}"))?;
        let name = if *field == "template" { "content" } else { field };
        let written = Written { value: (), mark: Some(mark), name: None, layer: layer.layer.clone() };
        Some((format!("files.{path}.{name}"), written))
    })
}

/// Takes the plain variables away that a secret one of a later layer wins over.
pub fn unset_plain(layers: &[Layered], config: &mut BTreeMap<String, Written<String>>) {
    let mut winner: BTreeMap<&str, bool> = BTreeMap::new();
    for layer in layers {
        let plain = layer.config.keys().filter_map(|key| key.strip_prefix("environment."));
        winner.extend(plain.map(|name| (name, false)));
        winner.extend(layer.environment.iter().map(|(name, secret)| (name.as_str(), secret.is_some())));
    }
    for (name, _) in winner.into_iter().filter(|(_, secret)| *secret) {
        config.remove(&format!("environment.{name}"));
    }
}

impl Resolution<'_> {
    /// The files with their contents' places resolved; where each was written goes to `origins`.
    pub fn files(
        &self,
        merged: &MergedContents<'_>,
        document: &Document,
        origins: &mut FieldOrigins,
        report: &mut Report,
    ) -> BTreeMap<String, ContainerFile> {
        let mut files = BTreeMap::new();
        for (field, written) in &merged.file_fields {
            origins.insert(field.clone(), super::containers::origin(written, report));
        }
        for (path, written) in &merged.files {
            let mark = written.mark.unwrap_or(document.mark);
            let whole = super::containers::origin(written, report);
            // What fills a template stands in its own lines.
            if let (FromSpec::Template(_), Some(content)) =
                (&written.value.from, origins.get_mut(&format!("files.{path}.content")))
            {
                content.filled.clone_from(&whole.filled);
            }
            origins.insert(format!("files.{path}"), whole);
            if let Some(file) = self.file(path, written.value, mark, report) {
                files.insert(path.clone(), file);
            }
        }
        files
    }

    /// One file as a layer writes it; `mark` is where its path stands.
    pub fn file(
        &self,
        path: &str,
        file: &FileSpec,
        mark: Mark,
        report: &mut Report,
    ) -> Option<ContainerFile> {
        let from = match &file.from {
            FromSpec::Content(text) => Content::Text(text.clone()),
            FromSpec::Source(text) => Content::File(self.source_file(text, mark, report)?),
            FromSpec::Template(template) => {
                self.refuse_secret(&template.name, mark, report)?;
                Content::Text(template.filled.clone()?)
            }
            FromSpec::Secret(secret) => {
                Content::Secret(self.secret_ref(secret, &format!("file {path}"), mark, report)?)
            }
        };
        let (mode, owner, group) = (file.mode.clone(), file.owner.clone(), file.group.clone());
        Some(ContainerFile { from, mode, owner, group, on_change: file.on_change.clone() })
    }

    pub fn environment(
        &self,
        merged: &MergedContents<'_>,
        document: &Document,
        origins: &mut FieldOrigins,
        report: &mut Report,
    ) -> BTreeMap<String, SecretRef> {
        let mut environment = BTreeMap::new();
        for (name, written) in &merged.environment {
            let mark = written.mark.unwrap_or(document.mark);
            origins.insert(format!("environment.{name}"), super::containers::origin(written, report));
            let what = format!("variable {name}");
            if let Some(secret) = self.secret_ref(written.value, &what, mark, report) {
                environment.insert(name.clone(), secret);
            }
        }
        environment
    }

    /// A reference with the place of its secret; one to a Secret that is not declared is a finding.
    pub fn secret_ref(
        &self,
        secret: &SecretRefSpec,
        what: &str,
        mark: Mark,
        report: &mut Report,
    ) -> Option<SecretRef> {
        match secret {
            SecretRefSpec::InPlace(spec) => {
                Some(SecretRef { name: None, from: self.secret_source(spec, mark, report)? })
            }
            SecretRefSpec::Name(name) => {
                let key = Key::secret(name);
                match self.documents.get(&key) {
                    Some(Document { body: Body::Secret(spec), mark, .. }) => {
                        // What is wrong with its own place is reported there.
                        let from = self.secret_source(spec, *mark, report)?;
                        Some(SecretRef { name: Some(name.clone()), from })
                    }
                    _ if report.is_unread(&key) => None,
                    _ => {
                        let wrong = references::missing(&key, self, report);
                        let message = format!("{what}: {}", wrong.message);
                        report.error(mark, Wrong { message, ..wrong });
                        None
                    }
                }
            }
        }
    }

    /// Where a Secret's document says that it is.
    pub fn secret_source(&self, spec: &SecretSpec, mark: Mark, report: &mut Report) -> Option<SecretSource> {
        match spec {
            SecretSpec::File(text) => match self.folders.resolve(mark, text) {
                Ok(path) => Some(SecretSource::File(PathBuf::from(path))),
                Err(wrong) => {
                    report.error(mark, wrong);
                    None
                }
            },
            SecretSpec::Env(name) => Some(SecretSource::Env(name.clone())),
            SecretSpec::Credential(name) => Some(SecretSource::Credential(name.clone())),
        }
    }

    /// What a template says stands in records and plans: a secret's own file is none.
    fn refuse_secret(&self, name: &str, mark: Mark, report: &mut Report) -> Option<()> {
        let file = self.folders.resolve(mark, name).ok()?;
        let is_its_file = |document: &&Document| match &document.body {
            Body::Secret(SecretSpec::File(text)) => {
                self.folders.resolve(document.mark, text).is_ok_and(|secret| secret == file)
            }
            _ => false,
        };
        let Some(secret) = self.documents.values().find(is_its_file) else { return Some(()) };
        let message = format!("`{name}` is the file of {}, and what a template says is shown", secret.key);
        let help = format!("write `secretRef: {}` instead of `template`", secret.key.name);
        report.error(mark, Wrong::new("bad-template", message).help(help));
        None
    }

    fn source_file(&self, text: &str, mark: Mark, report: &mut Report) -> Option<SourceFile> {
        match self.folders.beside(mark, text) {
            Ok(file) => Some(file),
            Err(wrong) => {
                report.error(mark, wrong);
                None
            }
        }
    }
}

/// A file stands in the container's own root: on no disk, not in another file, not where Bayplan puts its own.
pub fn check_places(
    merged: &MergedContents<'_>,
    devices: &Devices,
    document: &Document,
    report: &mut Report,
) {
    let has_nics = devices.values().any(|device| device.device_type == DeviceType::Nic);
    for (path, written) in &merged.files {
        let mark = written.mark.unwrap_or(document.mark);
        let mut wrong = |message: String, help: &str| {
            report.error(mark, Wrong::new("bad-value", message).help(help));
        };
        let disk = devices.iter().find(|(_, device)| {
            let target = device.options.get("path").filter(|target| *target != "/");
            device.device_type == DeviceType::Disk
                && target.is_some_and(|target| path == target || below(path, target))
        });
        if let Some((name, _)) = disk {
            let message = format!("`{path}` is on disk `{name}`, a folder of the host");
            wrong(message, "files go into the container's own root; put it into the disk's source");
        }
        if let Some(folder) = merged.files.keys().find(|other| below(path, other)) {
            wrong(format!("`{path}` is inside the file `{folder}`"), "give one of them another path");
        }
        if path == "/etc/resolv.conf" && has_nics {
            let message = "`/etc/resolv.conf` is Bayplan's own in a container with a nic".to_owned();
            wrong(
                message,
                "a resolver inside can be set up by its own files (systemd-resolved's, dhclient's)",
            );
        }
    }
}
