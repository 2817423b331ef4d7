//! The site that `init` writes: small, commented, loadable as it is.

use super::edit::scalar;
use super::tree::{Plain, classify};

/// What stands in it of the host.
pub struct FirstSite<'h> {
    /// The host's name; None: the site is for any host.
    pub host: Option<&'h str>,
    /// The schema's file, beside the manifest.
    pub schema: &'h str,
}

/// The manifest's text.
pub fn text(first: &FirstSite<'_>) -> String {
    let site =
        first.host.and_then(|host| host.split('.').next()).filter(|name| super::names::object(name).is_ok());
    let targets = match first.host.filter(|host| super::names::object(host).is_ok()) {
        Some(host) => format!("  targets: [{}]  # apply on another host is refused\n", text_scalar(host)),
        None => "  # targets: [HOSTNAME]  # apply on another host is refused\n".to_owned(),
    };
    TEMPLATE
        .replace("SCHEMA", first.schema)
        .replace("SITE", &text_scalar(site.unwrap_or("home")))
        .replace("  TARGETS\n", &targets)
}

/// A text that stays one: names may be numbers.
fn text_scalar(text: &str) -> String {
    if classify(text) == Plain::Text { scalar(text) } else { format!("\"{text}\"") }
}

const TEMPLATE: &str = "\
# yaml-language-server: $schema=SCHEMA
#
# What this host has. `bayplan plan` shows what would be done, `bayplan apply` does it, `bayplan why web-1` says where
# each value comes from, `bayplan explain FIELD` what a field means.
apiVersion: bayplan/v1
kind: Site
metadata: {name: SITE}
spec:
  TARGETS
  # What is no longer declared here goes once that is confirmed; containers are parked for a week first.
  # prune: {mode: confirm, max: 20%, grace: 7d}
---
# What containers are made from: the host's static busybox is enough to begin with.
kind: Image
metadata: {name: base}
spec:
  source: {busybox: {}}
  # A Debian made by mmdebstrap:
  # source: {bootstrap: {suite: bookworm, include: [systemd-sysv]}}
---
# Settings that containers share by naming the profile.
kind: Profile
metadata: {name: small}
spec:
  config:
    limits.memory: 256MiB
    limits.processes: 200
---
# The built-in profile `default` gives a root on pool `default`, and eth0 on network `bay0`.
kind: Container
metadata: {name: web-1}
spec:
  image: base
  profiles: [default, small]
  # config:
  #   limits.cpu: 1
";
