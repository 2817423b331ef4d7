//! Reads what `-f` names, and shows findings with the lines that they are about.

use super::failure::Told;
use crate::api::error::{Failure, FailureKind};
use crate::api::types::Manifests;
use crate::model::finding::Finding;
use crate::source;
use crate::spec::{SourceText, diagnostic};
use std::path::PathBuf;

/// Where manifests are read from.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct FromArgs {
    /// A manifest, a folder of them, or - for standard input [default: ./site.yaml, else .]
    #[arg(short, long = "file", value_name = "PATH")]
    pub file: Vec<PathBuf>,
}

/// Texts that findings point into.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    pub texts: Vec<SourceText>,
}

impl Shown {
    pub fn render(&self, findings: &[Finding]) -> String {
        diagnostic::render_all(findings, &self.texts)
    }

    pub fn manifests(&self) -> Manifests {
        Manifests::new(&self.texts)
    }

    /// The failure with excerpts from these texts.
    pub fn tell(&self, failure: Failure) -> anyhow::Error {
        Told { failure, excerpts: self.clone() }.into()
    }
}

impl FromArgs {
    pub fn read(&self) -> Result<Shown, Failure> {
        let texts = source::read_all(&self.file)
            .map_err(|error| Failure::from_error(FailureKind::Findings, &error))?;
        Ok(Shown { texts })
    }
}
