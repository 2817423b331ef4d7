//! Good manifests, and what they become.

use bayplan::spec::{LoadContext, Loaded, SourceText, load};
use std::path::PathBuf;

/// One text, as if it were /site/site.yaml.
pub fn text(path: &str, text: &str) -> SourceText {
    let folder = PathBuf::from("/site");
    SourceText { path: path.to_owned(), text: text.to_owned(), base: folder.clone(), root: folder }
}

pub fn load_text(source: &str) -> Result<Loaded, Vec<bayplan::model::finding::Finding>> {
    load(&[text("site.yaml", source)], &LoadContext { architecture: "amd64".to_owned() })
}

fn example(name: &str) -> Loaded {
    let path = format!("{}/examples/manifests/{name}", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(path).unwrap();
    load_text(&source).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

#[test]
fn the_smallest_site_uses_all_three_built_ins() {
    let desired = example("smallest.yaml").desired;
    let builtin: Vec<String> = desired.builtin.iter().map(ToString::to_string).collect();
    assert_eq!(builtin, ["storagepool/default", "network/bay0", "profile/default"]);
    println!("{:#?}", desired);
}

#[test]
fn the_demo_site_loads() {
    println!("{:#?}", example("site.yaml").desired);
}
