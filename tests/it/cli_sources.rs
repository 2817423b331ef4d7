//! Where a command reads manifests: standard input, and the default where no path is named.

use crate::cli::{Bench, SITE};
use std::io::Write;
use std::process::Stdio;

/// Runs a command with this on its standard input; exit status and standard error.
fn fed(bench: &Bench, words: &str, input: &str) -> (i32, String) {
    let mut command = bench.command(words);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_dash_is_standard_input() {
    let bench = Bench::new();
    std::fs::remove_file(bench.path().join("site.yaml")).unwrap();
    assert_eq!(fed(&bench, "plan -f -", SITE).0, 2);
    assert_eq!(fed(&bench, "apply -f -", SITE).0, 0);
    assert_eq!(fed(&bench, "plan -f -", SITE).0, 0);
    let (status, said) = fed(&bench, "validate -f -", &SITE.replace("limits.memory", "limits.memroy"));
    assert_eq!(status, 1);
    assert!(said.contains("<stdin>:14:"), "a finding names its line: {said}");
    let (status, said) = fed(&bench, "apply -f -", "");
    assert_eq!(status, 1, "an empty input declares nothing: {said}");
}

#[test]
fn without_a_path_the_site_file_is_read_else_the_folder() {
    let bench = Bench::new();
    bench.write("other.yaml", "kind: Nope\n");
    bench.expect(0, "validate");
    bench.expect(0, "apply");
    bench.expect(0, "plan");
    std::fs::remove_file(bench.path().join("other.yaml")).unwrap();
    std::fs::create_dir(bench.path().join("parts")).unwrap();
    std::fs::rename(bench.path().join("site.yaml"), bench.path().join("parts/a.yml")).unwrap();
    bench.expect(0, "plan");
    std::fs::remove_dir_all(bench.path().join("parts")).unwrap();
    let said = bench.expect(1, "plan");
    assert!(said.stderr.contains("no *.yaml or *.yml in ."), "{}", said.stderr);
}
