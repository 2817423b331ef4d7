//! Which mirror the host's own apt uses (sources.list(5)); as `sources.list` lines for mmdebstrap.

use super::bootstrap::BootstrapSpec;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const DEFAULT_MIRROR: &str = "http://deb.debian.org/debian";

/// The sources of a bootstrap, one argument each. Reads the host's apt configuration when no mirror is given.
pub(super) fn sources(spec: &BootstrapSpec) -> Vec<String> {
    let texts = if spec.mirror.is_some() { Vec::new() } else { host_texts() };
    lines(spec, &texts)
}

/// PURE. `texts` are the host's sources, deb822 or one-line.
fn lines(spec: &BootstrapSpec, texts: &[String]) -> Vec<String> {
    let suite = &spec.suite;
    let line = |uri: &str, suite: &str| format!("deb [signed-by={KEYRING}] {uri} {suite} main");
    if let Some(stamp) = &spec.snapshot {
        let base = "http://snapshot.debian.org/archive";
        return vec![
            line(&format!("{base}/debian/{stamp}"), suite),
            line(&format!("{base}/debian-security/{stamp}"), &format!("{suite}-security")),
        ];
    }
    let found: Vec<(String, bool)> = texts.iter().flat_map(|text| entries(text)).collect();
    let first =
        |is_security: bool| found.iter().find(|(_, security)| *security == is_security).map(|(uri, _)| uri);
    let mirror = spec.mirror.as_ref().or(first(false)).map_or(DEFAULT_MIRROR, String::as_str);
    let mut lines = vec![line(mirror, suite)];
    if !matches!(suite.as_str(), "sid" | "unstable" | "experimental") {
        lines.push(line(mirror, &format!("{suite}-updates")));
        lines.extend(first(true).map(|uri| line(uri, &format!("{suite}-security"))));
    }
    lines
}

/// (URI, whether it is the security archive) of the entries for Debian itself.
fn entries(text: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut uri = None;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().filter(|word| !is_option(word)).collect();
        match words.as_slice() {
            ["URIs:", first, ..] => uri = Some(*first),
            ["Suites:", suites @ ..] => found.extend(uri.map(|uri| (uri, suites.concat()))),
            ["deb", uri, suite, ..] => found.push((*uri, (*suite).to_owned())),
            _ => {}
        }
    }
    found
        .into_iter()
        .map(|(uri, suites)| (uri.trim_end_matches('/').to_owned(), suites.contains("-security")))
        .filter(|(uri, _)| uri.ends_with("/debian") || uri.ends_with("/debian-security"))
        .collect()
}

fn is_option(word: &str) -> bool {
    word.starts_with('[') || word.ends_with(']')
}

fn host_texts() -> Vec<String> {
    let mut paths = vec!["/etc/apt/sources.list".into()];
    if let Ok(folder) = std::fs::read_dir("/etc/apt/sources.list.d") {
        paths.extend(folder.flatten().map(|entry| entry.path()));
    }
    paths.sort();
    paths.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> BootstrapSpec {
        let suite = "bookworm".to_owned();
        BootstrapSpec { suite, include: vec![], variant: None, mirror: None, snapshot: None }
    }

    #[test]
    fn the_hosts_own_mirror_is_used_in_both_forms() {
        let deb822 = "Types: deb\n# http://old/debian\nURIs: http://near/debian/\nSuites: bookworm bookworm-updates\n\n\
                      URIs: http://near/debian-security\nSuites: bookworm-security\n";
        let one_line = "deb https://deb.nodesource.com/node_20.x nodistro main\n\
                        deb [arch=amd64 signed-by=/x] http://near/debian bookworm main\n\
                        deb http://near/debian-security bookworm-security main\n";
        let expected = [
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://near/debian bookworm main",
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://near/debian bookworm-updates main",
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://near/debian-security bookworm-security main",
        ];
        assert_eq!(lines(&spec(), &[deb822.to_owned()]), expected);
        assert_eq!(lines(&spec(), &[one_line.to_owned()]), expected);
    }

    #[test]
    fn without_any_the_public_mirror_is_used() {
        assert!(lines(&spec(), &[])[0].contains(" http://deb.debian.org/debian bookworm main"));
    }
}
