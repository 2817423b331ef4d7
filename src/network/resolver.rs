//! What a container's /etc/resolv.conf says (resolv.conf(5)): the host's nameservers, as far as a container reaches
//! them.

use std::io;
use std::net::IpAddr;
use std::path::Path;

/// Where systemd-resolved keeps its real upstreams, while /etc/resolv.conf names its stub on the loopback
/// (systemd-resolved.service(8)).
const SYSTEMD_UPSTREAM: &str = "/run/systemd/resolve/resolv.conf";

/// The content for a container on this host. The host's files that are missing count as empty.
pub fn of_host() -> io::Result<String> {
    let host = read(Path::new("/etc/resolv.conf"))?;
    let upstream = read(Path::new(SYSTEMD_UPSTREAM))?;
    Ok(resolv_conf(&host, &upstream))
}

/// PURE. The lines of `host` that mean something in a container; those of `upstream` when all of the host's
/// nameservers are on its loopback.
pub fn resolv_conf(host: &str, upstream: &str) -> String {
    let source = [host, upstream].into_iter().find(|text| text.lines().any(is_reachable)).unwrap_or("");
    let kept: Vec<&str> = source.lines().filter(|line| is_reachable(line) || is_search(line)).collect();
    let mut text = String::from("# Written by bayplan from the host's resolver.\n");
    for line in kept {
        text.push_str(line.trim());
        text.push('\n');
    }
    text
}

fn is_reachable(line: &str) -> bool {
    let mut words = line.split_whitespace();
    if words.next() != Some("nameserver") {
        return false;
    }
    // A scoped address (fe80::1%eth0) names a link that the container does not have: it does not parse.
    let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
    address.is_some_and(|address| !address.is_loopback() && !address.is_unspecified())
}

fn is_search(line: &str) -> bool {
    matches!(line.split_whitespace().next(), Some("search" | "domain"))
}

fn read(path: &Path) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "# Written by bayplan from the host's resolver.\n";

    #[test]
    fn reachable_nameservers_of_the_host_are_taken() {
        let host =
            "# x\nsearch example.org\nnameserver 127.0.0.53\nnameserver 10.0.0.2\noptions edns0 trust-ad\n";
        assert_eq!(resolv_conf(host, ""), format!("{HEADER}search example.org\nnameserver 10.0.0.2\n"));
    }

    #[test]
    fn a_stub_on_the_loopback_gives_way_to_its_upstream() {
        let host = "nameserver 127.0.0.53\n";
        let upstream = "nameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver 2001:db8::1\n";
        let expected = format!("{HEADER}nameserver 192.0.2.1\nnameserver 2001:db8::1\n");
        assert_eq!(resolv_conf(host, upstream), expected);
    }

    #[test]
    fn with_no_nameserver_at_all_there_is_only_the_header() {
        assert_eq!(resolv_conf("nameserver ::1\n", ""), HEADER);
    }
}
