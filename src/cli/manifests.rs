//! Reads what `-f` names, and shows findings with the lines that they are about.

use super::failure::Told;
use super::output::{complain, stderr_width};
use crate::api::error::{Failure, FailureKind};
use crate::api::types::Manifests;
use crate::daemon::operations::load;
use crate::model::finding::Finding;
use crate::source;
use crate::spec::{LoadedHosts, SourceText, diagnostic};
use std::path::PathBuf;

/// Where manifests are read from.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct FromArgs {
    /// A manifest, a folder of them, or - for standard input [default: ./site.yaml, else .]
    #[arg(short, long = "file", value_name = "PATH")]
    pub file: Vec<PathBuf>,
}

/// Manifests that are read without a look at the host.
#[derive(Debug, clap::Args)]
pub struct PureArgs {
    #[command(flatten)]
    from: FromArgs,
    /// The processor, where a Host document says none [default: this machine's]
    #[arg(long, value_name = "NAME")]
    architecture: Option<String>,
}

impl PureArgs {
    /// What they declare for the named host, else for each of theirs; warnings are shown.
    pub fn load(&self, host: Option<&str>) -> anyhow::Result<LoadedHosts> {
        let shown = self.from.read()?;
        let architecture = self.architecture.as_deref().unwrap_or(load::this_architecture());
        let loaded = match host {
            None => load::load_hosts(&shown.texts, architecture),
            Some(host) => load::load_for(&shown.texts, host, architecture).map(|loaded| {
                let warnings = loaded.warnings.clone();
                LoadedHosts { hosts: vec![loaded], warnings }
            }),
        };
        let loaded = loaded.map_err(|failure| shown.tell(failure))?;
        if !loaded.warnings.is_empty() {
            complain(&shown.render(&loaded.warnings));
        }
        Ok(loaded)
    }
}

/// Texts that findings point into.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    pub texts: Vec<SourceText>,
}

impl Shown {
    pub fn render(&self, findings: &[Finding]) -> String {
        let look = diagnostic::Look { colour: true, columns: stderr_width() };
        diagnostic::show_all(findings, &self.texts, look)
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
