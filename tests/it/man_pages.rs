//! The manual pages, from the form of the command line: `bayplan man` prints them, and `man/` is current.

use crate::cli::Bench;
use crate::golden::{assert_golden, folder};
use bayplan::cli::man_pages;
use std::collections::BTreeSet;

#[test]
fn the_committed_man_pages_are_current() {
    let pages = man_pages().unwrap();
    for (name, text) in &pages {
        assert_golden(&format!("man/{name}"), text);
    }
    let there = std::fs::read_dir(folder("man")).unwrap();
    let there: BTreeSet<String> =
        there.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let wanted = pages.into_iter().map(|(name, _)| name).collect();
    assert_eq!(there, wanted, "pages of commands that are gone are removed by hand");
}

#[test]
fn man_prints_a_page_and_writes_all_of_them_over_older_ones() {
    let bench = Bench::new();
    assert!(bench.expect(0, "man").stdout.contains(".TH BAYPLAN 1"));
    let plan = bench.expect(0, "man plan").stdout;
    assert!(plan.contains(".TH BAYPLAN-PLAN 1"), "{plan}");
    bench.expect(64, "man plna");
    bench.expect(64, "man plan --dir pages");
    bench.expect(0, "man --dir pages");
    let page = bench.path().join("pages/bayplan-plan.1");
    std::fs::write(&page, "of an older version").unwrap();
    bench.expect(0, "man --dir pages");
    assert_eq!(std::fs::read_to_string(&page).unwrap(), plan);
    assert_eq!(std::fs::read_dir(bench.path().join("pages")).unwrap().count(), man_pages().unwrap().len());
}
