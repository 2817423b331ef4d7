//! Files that hold what a test expects. `BAYPLAN_BLESS=1` writes them anew.

use std::path::PathBuf;

/// A path of the repository.
pub fn folder(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The file holds the text.
pub fn assert_golden(path: &str, actual: &str) {
    let file = folder(path);
    if std::env::var_os("BAYPLAN_BLESS").is_some() {
        std::fs::write(&file, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        expected == actual,
        "{path} is not current (BAYPLAN_BLESS=1 writes it anew); now it is:\n{actual}"
    );
}
