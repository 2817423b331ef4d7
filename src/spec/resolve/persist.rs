//! `persist`: each folder is a place of its own, where nothing else is put.

use crate::model::object::{DeviceType, Devices};
use crate::spec::document::Document;
use crate::spec::document::container::ContainerSpec;
use crate::spec::document::files::below;
use crate::spec::report::{Report, Wrong};
use std::collections::BTreeSet;

pub fn paths<'f>(
    spec: &ContainerSpec,
    (devices, files): (&Devices, impl Iterator<Item = &'f String> + Clone),
    document: &Document,
    report: &mut Report,
) -> BTreeSet<String> {
    let mut paths: BTreeSet<String> = BTreeSet::new();
    if let (true, Some(_)) = (spec.ephemeral, spec.persist.first()) {
        let wrong = Wrong::new("bad-value", "persist: an ephemeral container keeps nothing");
        report.error(document.mark_of("persist"), wrong.help("remove it, or `ephemeral: true`"));
    }
    for (index, path) in spec.persist.iter().enumerate() {
        let touches = |other: &str| other == path || below(other, path) || below(path, other);
        let disk = devices.iter().find(|(_, device)| {
            let target = device.options.get("path").filter(|target| *target != "/");
            device.device_type == DeviceType::Disk && target.is_some_and(|target| touches(target))
        });
        let file = files.clone().find(|file| *file == path || below(file, path) || below(path, file));
        let wrong = match (disk, file, paths.iter().find(|other| touches(other))) {
            (Some((name, _)), ..) => {
                Some((format!("persist: `{path}` is where disk `{name}` is"), "choose one of them"))
            }
            (_, Some(file), _) => Some((
                format!("persist: the declared file `{file}` would be inside `{path}`"),
                "put it elsewhere",
            )),
            (.., Some(other)) => {
                Some((format!("persist: `{path}` and `{other}` are not apart"), "name the upper one alone"))
            }
            _ => None,
        };
        match wrong {
            Some((message, help)) => {
                let mark = document.mark_of(&format!("persist[{index}]"));
                report.error(mark, Wrong::new("duplicate-path", message).help(help));
            }
            None => drop(paths.insert(path.clone())),
        }
    }
    paths
}
