//! (being written)
use super::wiring::Bay;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
pub fn run(
    _bay: &Arc<Bay>,
    _paths: &[PathBuf],
    _actor: String,
    _cancel: &'static AtomicBool,
) -> anyhow::Result<()> {
    anyhow::bail!("not supported yet: following manifests")
}
