//! What happens to hosts behind Bayplan's back. Each method answers whether there was anything to break.

use super::host::HostModel;
use super::{Memory, contents};
use crate::model::content::Content;
use crate::model::key::Key;
use crate::model::object::ImageSource;
use crate::model::observed::{ExitCause, ExitFacts, RegularFile, RunFacts};
use crate::model::run::Limits;
use crate::store::Error;
use ipnet::IpNet;
use jiff::Timestamp;
use uuid::Uuid;

impl Memory {
    /// Something ended the container's init: `KILLED`, `PowerOff` from inside, `Reboot`, `Oom` …
    pub fn end_init(&self, key: &Key, cause: ExitCause) -> bool {
        let mut host = self.lock();
        let Some(uuid) = uuid_of(&host, key) else { return false };
        let Some(run) = host.runs.remove(&uuid) else { return false };
        let status = match cause {
            ExitCause::Killed | ExitCause::Oom => Some(128 + 9),
            ExitCause::Failed => Some(1),
            ExitCause::PowerOff | ExitCause::Reboot => Some(0),
            ExitCause::Unknown => None,
        };
        let at = Timestamp::UNIX_EPOCH;
        host.exits.insert(uuid, ExitFacts { incarnation: run.incarnation, cause, status, at });
        true
    }

    /// kill -9 of the container's init.
    pub fn kill_init(&self, key: &Key) -> bool {
        self.end_init(key, ExitCause::Killed)
    }

    /// `poweroff` inside the container.
    pub fn power_off_inside(&self, key: &Key) -> bool {
        self.end_init(key, ExitCause::PowerOff)
    }

    /// kill -9 of the container's monitor; its init lives on.
    pub fn kill_monitor(&self, key: &Key) -> bool {
        self.edit_run(key, |run| run.supervised = false)
    }

    /// Files of the container's cgroup are written by hand.
    pub fn edit_limits(&self, key: &Key, edit: impl FnOnce(&mut Limits)) -> bool {
        self.edit_run(key, |run| edit(&mut run.limits))
    }

    /// The init is moved out of its cgroup, and the cgroup removed.
    pub fn leave_cgroup(&self, key: &Key) -> bool {
        self.edit_run(key, |run| {
            run.in_cgroup = false;
            run.limits = Limits::default();
        })
    }

    /// The container is frozen (or thawed) by its cgroup file.
    pub fn set_frozen(&self, key: &Key, frozen: bool) -> bool {
        self.edit_run(key, |run| run.frozen = frozen)
    }

    /// The host end of a nic is deleted.
    pub fn remove_nic(&self, key: &Key, device: &str) -> bool {
        self.edit_run(key, |run| {
            run.nics.remove(device);
        })
    }

    /// The host end of a nic is taken off its bridge.
    pub fn detach_bridge(&self, key: &Key, device: &str) -> bool {
        self.edit_run(key, |run| {
            if let Some(nic) = run.nics.get_mut(device) {
                nic.bridge = None;
            }
        })
    }

    /// The host end of a nic is set down.
    pub fn set_nic_down(&self, key: &Key, device: &str) -> bool {
        self.edit_run(key, |run| {
            if let Some(nic) = run.nics.get_mut(device) {
                nic.up = false;
            }
        })
    }

    /// `ip route flush dev HOST-END`.
    pub fn flush_routes(&self, key: &Key, device: &str) -> bool {
        self.edit_run(key, |run| {
            if let Some(nic) = run.nics.get_mut(device) {
                nic.routes.clear();
            }
        })
    }

    /// A bind is unmounted inside the container.
    pub fn unmount_disk(&self, key: &Key, device: &str) -> bool {
        self.edit_run(key, |run| {
            run.disks.remove(device);
            run.unlocked_disks.remove(device);
        })
    }

    /// A read-only bind is mounted again so that it can be written to.
    pub fn unlock_disk(&self, key: &Key, device: &str) -> bool {
        self.edit_run(key, |run| {
            if run.run.disks.iter().any(|disk| disk.device == device && disk.readonly)
                && run.disks.contains(device)
            {
                run.unlocked_disks.insert(device.to_owned());
            }
        })
    }

    /// The host end of a nic is made a port of another bridge.
    pub fn move_nic(&self, key: &Key, device: &str, bridge: &str) -> bool {
        self.edit_run(key, |run| {
            if let Some(nic) = run.nics.get_mut(device) {
                nic.bridge = Some(bridge.to_owned());
            }
        })
    }

    /// A folder that outlives the root is unmounted inside the container.
    pub fn unmount_persisted(&self, key: &Key, path: &str) -> bool {
        self.edit_run(key, |run| {
            run.persisted.remove(path);
        })
    }

    /// A folder that outlives the root is removed from its pool.
    pub fn lose_persisted(&self, key: &Key, path: &str) -> bool {
        let mut host = self.lock();
        let root = host.roots.values_mut().find(|root| root.identity.key == *key);
        let is_lost = root.is_some_and(|root| root.persisted.remove(path).is_some());
        drop(host);
        is_lost && self.unmount_persisted(key, path)
    }

    /// The bridge has this address now, and no other.
    pub fn change_address(&self, bridge: &str, address: IpNet) -> bool {
        let mut host = self.lock();
        let Some(facts) = host.networks.get_mut(bridge) else { return false };
        facts.addresses = [address].into();
        true
    }

    /// The bridge is set down.
    pub fn set_bridge_down(&self, bridge: &str) -> bool {
        self.lock().networks.get_mut(bridge).map(|facts| facts.up = false).is_some()
    }

    /// `ip link set BRIDGE mtu MTU`.
    pub fn change_mtu(&self, bridge: &str, mtu: u32) -> bool {
        self.lock().networks.get_mut(bridge).map(|facts| facts.mtu = mtu).is_some()
    }

    /// `ip link del BRIDGE`: its ports stay, on no bridge.
    pub fn delete_bridge(&self, bridge: &str) -> bool {
        let mut host = self.lock();
        for nic in host.runs.values_mut().flat_map(|run| run.nics.values_mut()) {
            if nic.bridge.as_deref() == Some(bridge) {
                nic.bridge = None;
            }
        }
        host.networks.remove(bridge).is_some()
    }

    /// `nft flush ruleset`.
    pub fn flush_rules(&self) -> bool {
        let mut host = self.lock();
        host.networks.values_mut().filter(|facts| facts.ours).for_each(|facts| facts.rules.clear());
        !host.networks.is_empty()
    }

    /// `sysctl net.ipv4.ip_forward=0`.
    pub fn stop_forwarding(&self) -> bool {
        let mut host = self.lock();
        host.networks.values_mut().filter(|facts| facts.ours).for_each(|facts| facts.forwarding = false);
        !host.networks.is_empty()
    }

    /// The image store loses a content.
    pub fn lose_image(&self, fingerprint: &str) -> bool {
        self.lock().images.remove(fingerprint).is_some()
    }

    /// From now on the source gives another content.
    pub fn change_source(&self, source: &ImageSource, fingerprint: &str) {
        let text = serde_json::to_string(source).unwrap_or_default();
        self.lock().contents.insert(text, fingerprint.to_owned());
    }

    /// A container's root folder is removed while it does not run.
    pub fn lose_root(&self, key: &Key) -> bool {
        let mut host = self.lock();
        let Some(uuid) = uuid_of(&host, key).filter(|uuid| !host.runs.contains_key(uuid)) else {
            return false;
        };
        host.roots.remove(&uuid).is_some()
    }

    /// The state folder is lost.
    pub fn lose_records(&self) -> Result<(), Error> {
        for key in self.records().all()?.keys() {
            self.records().forget(key)?;
        }
        Ok(())
    }

    /// The machine restarts: no process, no link, no rule, no run folder is left.
    pub fn reboot_host(&self) {
        let mut host = self.lock();
        host.runs.clear();
        host.exits.clear();
        host.incarnations.clear();
        host.networks.retain(|_, facts| !facts.ours);
    }

    /// A program inside writes a file.
    pub fn write_inside(&self, key: &Key, path: &str) -> bool {
        let mut host = self.lock();
        let Some(uuid) = uuid_of(&host, key) else { return false };
        let Some(root) = host.roots.get_mut(&uuid) else { return false };
        let below =
            |folder: &&String| path.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'));
        let folder = root.persisted.keys().find(below).cloned();
        let place = folder.and_then(|folder| root.persisted.get_mut(&folder)).unwrap_or(&mut root.written);
        place.insert(path.to_owned())
    }

    /// Somebody edits a file inside.
    pub fn edit_file(&self, key: &Key, path: &str, edit: impl FnOnce(&mut RegularFile)) -> bool {
        let mut host = self.lock();
        let Some(uuid) = uuid_of(&host, key) else { return false };
        let file = host.roots.get_mut(&uuid).and_then(|root| root.files.get_mut(path));
        file.map(edit).is_some()
    }

    /// Somebody writes another text into a file inside.
    pub fn edit_text(&self, key: &Key, path: &str, text: &str) -> bool {
        let mut host = self.lock();
        let Ok(digest) = contents::digest(&host, &Content::Text(text.to_owned())) else { return false };
        host.texts.insert(digest.0.clone(), text.to_owned());
        drop(host);
        self.edit_file(key, path, |file| file.digest = digest)
    }

    /// Somebody removes a file inside.
    pub fn remove_file(&self, key: &Key, path: &str) -> bool {
        let mut host = self.lock();
        let Some(uuid) = uuid_of(&host, key) else { return false };
        host.roots.get_mut(&uuid).is_some_and(|root| root.files.remove(path).is_some())
    }

    /// From now on a file beside manifests, or a secret, holds this; `place` is the words for it.
    pub fn change_content(&self, place: &str, value: &str) {
        self.lock().values.insert(place.to_owned(), value.to_owned());
    }

    /// Changes the machine itself.
    pub fn edit_host(&self, edit: impl FnOnce(&mut HostModel)) {
        edit(&mut self.lock());
    }

    fn edit_run(&self, key: &Key, edit: impl FnOnce(&mut RunFacts)) -> bool {
        let mut host = self.lock();
        let Some(uuid) = uuid_of(&host, key) else { return false };
        host.runs.get_mut(&uuid).map(edit).is_some()
    }
}

fn uuid_of(host: &HostModel, key: &Key) -> Option<Uuid> {
    host.roots.iter().find(|(_, root)| root.identity.key == *key).map(|(uuid, _)| *uuid)
}
