//! One device: its type, its options, and what they need of each other.

use super::layers::MergedDevice;
use super::paths::Folders;
use crate::model::object::{Config, Device, DeviceType};
use crate::model::words::did_you_mean;
use crate::spec::document::files::below;
use crate::spec::registry::value::ValueType;
use crate::spec::registry::{DEVICES, Table, check, device_types};
use crate::spec::report::{Report, Wrong};
use crate::spec::tree::Mark;

/// Where findings about a container's devices go: `mark` stands in for values that no text gives.
pub struct Context<'c> {
    pub folders: &'c Folders<'c>,
    pub mark: Mark,
}

/// The device with every option in its normal form; none when a finding says why not.
pub fn check_device(
    name: &str,
    merged: &MergedDevice,
    context: &Context,
    report: &mut Report,
) -> Option<Device> {
    let device_type = device_type(merged, context, report)?;
    let table = table(device_type, merged, context, report)?;
    let options = options(merged, table, context, report)?;
    let at = merged.named.mark.unwrap_or(context.mark);
    let wrong = match device_type {
        DeviceType::Disk => disk_needs(name, &options),
        DeviceType::Nic => nic_needs(name, &options),
    };
    match wrong {
        Some((option, wrong)) => {
            let mark = option.and_then(|option| merged.options.get(option)).and_then(|written| written.mark);
            report.error(mark.unwrap_or(at), wrong);
            None
        }
        None => Some(Device { device_type, options: without_defaults(options, table) }),
    }
}

/// The options of one layer that has a type, in their normal form; a profile's own check.
pub fn check_layer(merged: &MergedDevice, context: &Context, report: &mut Report) -> Option<Config> {
    let device_type = device_type(merged, context, report)?;
    if device_type == DeviceType::Nic
        && !["nictype", "network"].iter().any(|key| merged.options.contains_key(*key))
    {
        return None;
    }
    let table = table(device_type, merged, context, report)?;
    options(merged, table, context, report)
}

fn device_type(merged: &MergedDevice, context: &Context, report: &mut Report) -> Option<DeviceType> {
    let text = merged.device_type.value.as_str();
    let wrong = match text {
        "disk" => return Some(DeviceType::Disk),
        "nic" => return Some(DeviceType::Nic),
        known if device_types().any(|other| other == known) => {
            let why = match DEVICES.get(known).and_then(Table::never) {
                Some(reason) => format!(": {reason}"),
                None => " yet".to_owned(),
            };
            Wrong::new("not-supported", format!("`{text}` devices are not supported{why}"))
                .help("supported are disk, nic and none")
        }
        _ => {
            let help = did_you_mean(text, device_types())
                .unwrap_or_else(|| "supported are disk, nic and none".to_owned());
            Wrong::new("unknown-type", format!("unknown device type `{text}`")).help(help)
        }
    };
    report.error(merged.device_type.mark.unwrap_or(context.mark), wrong);
    None
}

/// The options that the type, and for a nic its nictype, may have.
fn table<'t>(
    device_type: DeviceType,
    merged: &MergedDevice,
    context: &Context,
    report: &mut Report,
) -> Option<&'t Table> {
    if device_type == DeviceType::Disk {
        return DEVICES.get("disk");
    }
    let nictype = merged.options.get("nictype");
    let (nictype, mark) = match (nictype, merged.options.get("network")) {
        (Some(nictype), Some(_)) => {
            let wrong =
                Wrong::new("bad-value", "`network` says what kind of nic it is; `nictype` contradicts it");
            let help = "remove `nictype`, or unset the other: `network: null`";
            report.error(nictype.mark.unwrap_or(context.mark), wrong.help(help));
            return None;
        }
        (Some(nictype), None) => (nictype.value.as_str(), nictype.mark),
        (None, Some(_)) => ("bridged", None),
        (None, None) => {
            let wrong =
                Wrong::new("missing-field", "a nic needs `network`, or `nictype` with what belongs to it");
            let help = "for example `network: bay0`";
            report.error(merged.named.mark.unwrap_or(context.mark), wrong.help(help));
            return None;
        }
    };
    if matches!(nictype, "bridged" | "p2p") {
        return DEVICES.get(format!("nic/{nictype}").as_str());
    }
    let nictypes = || DEVICES.keys().filter_map(|name| name.strip_prefix("nic/"));
    let wrong = if nictypes().any(|known| known == nictype) {
        Wrong::new("not-supported", format!("nictype `{nictype}` is not supported yet"))
            .help("supported are bridged and p2p")
    } else {
        Wrong::new("bad-value", format!("unknown nictype `{nictype}`")).help(
            did_you_mean(nictype, nictypes()).unwrap_or_else(|| "supported are bridged and p2p".to_owned()),
        )
    };
    report.error(mark.unwrap_or(context.mark), wrong);
    None
}

fn options(merged: &MergedDevice, table: &Table, context: &Context, report: &mut Report) -> Option<Config> {
    let mut options = Config::new();
    let mut complete = true;
    for (name, written) in &merged.options {
        let mark = written.mark.unwrap_or(context.mark);
        let entry = match check::name(table, name) {
            Ok(entry) => entry,
            Err(wrong) => {
                let type_meant = wrong.help.is_none().then(|| did_you_mean(name, ["type"])).flatten();
                let wrong = Wrong { help: wrong.help.or(type_meant), ..wrong };
                report.error(written.name.unwrap_or(mark), wrong);
                complete = false;
                continue;
            }
        };
        let normal = check::normal_form(entry, name, &written.value).and_then(|text| match entry.value {
            ValueType::HostPath => context.folders.resolve(mark, &text),
            _ => Ok(text),
        });
        match normal {
            Ok(text) => drop(options.insert(name.clone(), text)),
            Err(wrong) => {
                report.error(mark, wrong);
                complete = false;
            }
        }
    }
    complete.then_some(options)
}

fn without_defaults(options: Config, table: &Table) -> Config {
    options.into_iter().filter(|(name, value)| !check::is_default(table, name, value)).collect()
}

type Need = Option<(Option<&'static str>, Wrong)>;

/// Where the kernel or the runtime lets nothing be mounted, and why. Of /proc and /sys the kernel tells which paths
/// there are: `reconcile::check` asks it.
pub const UNMOUNTABLE: [(&str, &str); 6] = [
    ("/dev/pts", "the kernel makes what is in /dev/pts"),
    ("/dev/mqueue", "the kernel makes what is in /dev/mqueue"),
    ("/dev/fd", "/dev/fd is each process's own"),
    ("/dev/stdin", "/dev/stdin is each process's own"),
    ("/dev/stdout", "/dev/stdout is each process's own"),
    ("/dev/stderr", "/dev/stderr is each process's own"),
];

/// Whether the place itself is refused, not only what is in it.
fn is_whole(path: &str, place: &str) -> bool {
    path == place && !matches!(place, "/dev/pts" | "/dev/mqueue")
}

fn disk_needs(name: &str, options: &Config) -> Need {
    let has = |option: &str| options.contains_key(option);
    let missing = |option: &str, help: &str| {
        let wrong = Wrong::new("missing-field", format!("disk `{name}` has no `{option}`"));
        Some((None, wrong.help(help)))
    };
    let Some(path) = options.get("path") else {
        return missing("path", "add where it appears inside: `path: /srv/data`");
    };
    if path != "/" {
        if has("pool") {
            let wrong = Wrong::new("not-supported", "volumes of a pool are not supported yet");
            return Some((Some("pool"), wrong.help("bind a folder of the host: `source: /srv/data`")));
        }
        if !has("source") {
            return missing("source", "add the folder of the host: `source: /srv/data`");
        }
        let volatile =
            UNMOUNTABLE.into_iter().find(|(place, _)| below(path, place) || is_whole(path, place))?;
        let wrong = Wrong::new("bad-value", format!("nothing can be mounted at `{path}`: {}", volatile.1));
        return Some((Some("path"), wrong.help("name another path, for example `path: /srv/data`")));
    }
    if !has("pool") {
        return missing("pool", "the root (path `/`) lives in a pool: `pool: default`");
    }
    let other = options.keys().find(|option| !matches!(option.as_str(), "path" | "pool"))?;
    let option =
        ["source", "readonly", "recursive", "required", "shift"].into_iter().find(|known| known == other);
    let wrong = Wrong::new("bad-value", format!("the root disk (path `/`) has no `{other}`"));
    Some((option, wrong.help("a root has `path` and `pool`")))
}

fn nic_needs(name: &str, options: &Config) -> Need {
    let has = |option: &str| options.contains_key(option);
    if options.get("nictype").is_some_and(|nictype| nictype == "p2p") || has("network") {
        if has("network") && has("parent") {
            let wrong = Wrong::new("bad-value", format!("nic `{name}` has `network` and `parent`"));
            return Some((Some("parent"), wrong.help("`network` names its bridge; remove `parent`")));
        }
        return None;
    }
    if !has("parent") {
        let wrong = Wrong::new("missing-field", format!("nic `{name}` is bridged, but to what?"));
        return Some((None, wrong.help("add `network` (one of ours) or `parent` (a bridge of the host)")));
    }
    for option in ["ipv4.address", "ipv6.address"] {
        if options.get(option).is_some_and(|address| address != "none") {
            let message = format!("`{option}` needs `network`: the subnet of a foreign bridge is not known");
            let wrong =
                Wrong::new("bad-value", message).help("let its own DHCP give the address, or set it inside");
            return Some((Some(option), wrong));
        }
    }
    None
}
