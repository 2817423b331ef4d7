//! Texts → desired, with every finding at once.

use crate::api::error::Failure;
use crate::driver::native::host::architecture;
use crate::spec::{self, LoadContext, Loaded, SourceText};

/// What the manifests declare.
pub fn load(texts: &[SourceText], architecture: &str) -> Result<Loaded, Failure> {
    let context = LoadContext { architecture: architecture.to_owned() };
    spec::load(texts, &context).map_err(Failure::findings)
}

/// This machine's processor in Debian's word.
pub fn this_architecture() -> &'static str {
    architecture(std::env::consts::ARCH)
}
