//! Reading manifests from files and folders.

use bayplan::source::{Error, read};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

fn write(folder: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_folder_is_read_in_name_order_without_dot_folders_and_ignored_files() {
    let folder = tempfile::tempdir().unwrap();
    let files: [(&str, &[u8]); 8] = [
        ("b.yaml", b"b"),
        ("a/z.yml", b"z"),
        ("a/drafts/x.yaml", b"x"),
        (".git/c.yaml", b"c"),
        ("notes.txt", b"n"),
        ("skipped.yaml", b"s"),
        (".hidden.yaml", b"h"),
        (".bayplanignore", b"# not these\nskipped.*\ndrafts/\n"),
    ];
    write(folder.path(), &files);
    let texts = read(Some(folder.path())).unwrap();
    let read: Vec<&str> = texts.iter().map(|text| text.text.as_str()).collect();
    assert_eq!(read, ["z", "b"]);
    assert_eq!(texts[0].base, folder.path().join("a"));
    assert_eq!(texts[0].root, folder.path());
}

#[test]
fn what_is_not_utf_8_is_named_with_its_byte() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a.yaml", b"name: \xff\n")]);
    let error = read(Some(folder.path())).unwrap_err();
    assert!(matches!(&error, Error::NotUtf8 { byte: 6, .. }), "{error}");
    assert!(error.to_string().contains("a.yaml"));
}

#[test]
fn links_are_followed_inside_the_folder_and_refused_outside() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("..2026/site.yaml", b"kind: Site\n")]);
    symlink("..2026", folder.path().join("..data")).unwrap();
    symlink("..data/site.yaml", folder.path().join("site.yaml")).unwrap();
    assert_eq!(read(Some(folder.path())).unwrap().len(), 1);
    symlink("/etc/hostname", folder.path().join("evil.yaml")).unwrap();
    assert!(matches!(read(Some(folder.path())), Err(Error::LinkOutside { .. })));
}

#[test]
fn a_link_that_leads_nowhere_is_an_error_and_no_absence() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("site.yaml", b"kind: Site\n")]);
    symlink("nobody@host:12", folder.path().join(".#site.yaml")).unwrap();
    symlink("gone", folder.path().join("notes.txt")).unwrap();
    assert_eq!(read(Some(folder.path())).unwrap().len(), 1, "an editor's lock is none of ours");
    symlink("gone.yaml", folder.path().join("web.yaml")).unwrap();
    let error = read(Some(folder.path())).unwrap_err();
    assert!(matches!(error, Error::LinkNowhere { .. }), "{error}");
    fs::remove_file(folder.path().join("web.yaml")).unwrap();
    symlink("web.yaml", folder.path().join("web.yaml")).unwrap();
    assert!(matches!(read(Some(folder.path())), Err(Error::Read { .. })));
}

#[test]
fn a_folder_without_manifests_and_a_missing_file_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(read(Some(folder.path())), Err(Error::NoManifest { .. })));
    assert!(matches!(read(Some(&folder.path().join("none.yaml"))), Err(Error::Read { .. })));
}
