//! What keeps a container from its goal and no step mends: lost content, a start that is forbidden.

use super::container::Walk;
use crate::model::step::ImageContent;
use crate::model::typed;
use crate::reconcile::plan::Broken;

impl Walk<'_> {
    /// Whether its root stands on content that is lost and cannot come back in this plan.
    pub fn is_broken(&mut self) -> bool {
        if self.diff.broken.is_some() {
            return true;
        }
        let replaced = self.has_fresh_root();
        let Some(root) = self.view.root.filter(|root| !root.image_present && !replaced) else { return false };
        let fingerprint = &root.identity.fingerprint;
        let comes_back = self.scene.images.iter().find(|(_, state)| {
            state.imported && state.content == ImageContent::Fingerprint(fingerprint.clone())
        });
        if let Some((image, _)) = comes_back {
            self.diff.also_after.push(image.clone());
            return false;
        }
        let start: String = fingerprint.chars().take(12).collect();
        self.broken(
            format!("the image content {start} below its root is lost"),
            "bring the same content back into the store, or delete the container".to_owned(),
        );
        true
    }

    /// It runs over a content that was lost; only a start mounts the one that was made anew.
    pub fn lacks_files(&mut self) {
        if !self.is_broken() {
            self.broken(
                "the image content below its root was lost while it ran: it lacks those files".to_owned(),
                format!("`bayplan restart {}` starts it on the content that was made anew", self.key.name),
            );
        }
    }

    /// Whether there is no way to go on with its root.
    pub fn is_broken_content(&self) -> bool {
        self.diff.broken.is_some() || !self.unresolved.is_empty()
    }

    /// Whether its start is refused; healing says so and leaves it, every other goal has a finding about it.
    pub fn is_barred(&mut self) -> bool {
        let barred = typed::protected_from_start(&self.desired.config);
        if barred {
            self.broken(
                "it does not run, and security.protection.start forbids its start".to_owned(),
                "declare it stopped, or without security.protection.start".to_owned(),
            );
        }
        barred
    }

    pub fn broken(&mut self, message: String, help: String) {
        self.diff.broken = Some(Broken { key: self.key.clone(), message, help });
    }
}
