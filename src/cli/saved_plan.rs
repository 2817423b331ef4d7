//! Saved plans' files: `plan --out`, `plan --plan` and `apply --plan`.

use crate::api::error::{Failure, FailureKind};
use crate::api::saved::SavedPlan;
use std::io::Write;
use std::path::Path;

/// Writes it beside its place and renames it there; nobody but its owner reads it.
pub fn write(path: &Path, plan: &SavedPlan) -> Result<(), Failure> {
    let text = plan.seal().map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
    let failed = |error: &dyn std::error::Error| {
        let failure = Failure::from_error(FailureKind::Host, error);
        let message = format!("the plan cannot be written to {}: {}", path.display(), failure.message);
        Failure { message, ..failure }
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    file.write_all(text.as_bytes()).map_err(|error| failed(&error))?;
    file.as_file().sync_all().map_err(|error| failed(&error))?;
    file.persist(path).map_err(|error| failed(&error.error))?;
    Ok(())
}

/// Reads it; what was changed since, or is of another version, is refused.
pub fn read(path: &Path) -> Result<SavedPlan, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("the plan {} cannot be read: {error}", path.display());
        Failure::new(FailureKind::Host, message)
    })?;
    SavedPlan::open(&text)
        .map_err(|error| Failure::new(FailureKind::Refused, format!("{}: {error}", path.display())))
}
