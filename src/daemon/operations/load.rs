//! Texts → desired, with every finding at once.

use crate::api::error::Failure;
use crate::driver::native::host::architecture;
use crate::model::observed::Host;
use crate::spec::{self, LoadContext, Loaded, LoadedHosts, RenderFor, SourceText};

/// What the manifests declare for the machine that was looked at.
pub fn load(texts: &[SourceText], machine: &Host) -> Result<Loaded, Failure> {
    let render_for =
        RenderFor::Machine { machine_id: machine.machine_id.clone(), hostname: machine.hostname.clone() };
    let context = LoadContext { architecture: machine.architecture.clone(), render_for };
    spec::load(texts, &context).map_err(Failure::findings)
}

/// What the manifests declare for one of their hosts.
pub fn load_for(texts: &[SourceText], host: &str, architecture: &str) -> Result<Loaded, Failure> {
    let render_for = RenderFor::Named(host.to_owned());
    let context = LoadContext { architecture: architecture.to_owned(), render_for };
    spec::load(texts, &context).map_err(Failure::findings)
}

/// What the manifests declare for each of their hosts.
pub fn load_hosts(texts: &[SourceText], architecture: &str) -> Result<LoadedHosts, Failure> {
    spec::load_hosts(texts, architecture).map_err(Failure::findings)
}

/// This machine's processor in Debian's word.
pub fn this_architecture() -> &'static str {
    architecture(std::env::consts::ARCH)
}
