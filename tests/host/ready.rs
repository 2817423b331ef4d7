//! `ready: {tcp, http}` of real containers: from where it is asked, what counts, and what is told of what does not.

use crate::product::{Product, Said, eventually, patient};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Read;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// A container whose init runs `script` at its start; `more` is of its spec.
fn serving(name: &str, script: &str, more: &str) -> String {
    let files = format!("/etc/rc.local: {{content: \"#!/bin/sh\\n{script}\\n\", mode: \"0755\"}}");
    Product::container(name, &format!("files: {{{files}, /srv/page: {{content: here}}}}, {more}"))
}

/// A probe that is given up after `seconds` on a usual machine.
fn ready(probe: &str, seconds: u64) -> String {
    format!("ready: {{{probe}, timeout: {}s, interval: 50ms}}", patient(seconds).as_secs())
}

/// Declared and applied in a Product of its own.
fn applied(container: &str) -> (Product, Said) {
    let product = Product::new();
    product.declare(&(product.base() + container));
    let said = product.apply();
    (product, said)
}

#[track_caller]
fn is_not_ready(container: &str, why: &str) {
    let (_product, said) = applied(container);
    let said = said.expect(3);
    assert!(said.out.contains("is not ready after") && said.out.contains(why), "{}\n{}", said.out, said.err);
}

#[test]
fn a_port_on_the_loopback_inside_counts_once_a_service_listens_there() {
    let script = "(sleep 1; httpd -p 127.0.0.1:8080 -h /srv) &";
    let (product, said) = applied(&serving("a", script, &ready("tcp: 8080", 20)));
    said.expect(0);
    // Since it was ready: nothing is waited for any more.
    assert_eq!(product.inside("a", "wget -q -O - http://127.0.0.1:8080/page"), "here");
    product.plan().expect(0);
}

#[test]
fn a_port_that_nobody_serves_ends_the_apply_with_what_it_answers() {
    is_not_ready(&serving("a", "", &ready("tcp: 8080", 1)), "port 8080 refuses connections");
}

#[test]
fn a_service_on_the_host_is_not_the_containers() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let probe = ready(&format!("tcp: {port}"), 1);
    is_not_ready(&serving("a", "", &probe), &format!("port {port} refuses connections"));
}

#[test]
fn a_connection_that_meets_itself_is_no_service() {
    // The kernel has but this port for the asking end: TCP opens it from both ends at once.
    let sysctl = "config: {linux.sysctl.net.ipv4.ip_local_port_range: \"40000 40000\"}, ";
    let container = serving("a", "", &(sysctl.to_owned() + &ready("tcp: 40000", 1)));
    // Refused, or no port is left while the last attempt's is on its way out.
    is_not_ready(&container, "port 40000 ");
}

#[test]
fn a_page_that_is_not_there_yet_is_waited_for() {
    let probe = ready("http: {port: 8080, path: /healthz}", 20);
    let script = "httpd -p 8080 -h /srv; (sleep 1; echo ok > /srv/healthz) &";
    let (product, said) = applied(&serving("a", script, &probe));
    said.expect(0);
    assert_eq!(product.inside("a", "cat /srv/healthz"), "ok");
}

#[test]
fn the_last_answer_of_a_web_service_is_told() {
    let probe = ready("http: {port: 8080, path: /healthz}", 2);
    let script = "httpd -p 127.0.0.1:8080 -h /srv";
    is_not_ready(&serving("a", script, &probe), "http://127.0.0.1:8080/healthz answered 404");
}

#[test]
fn a_service_that_speaks_something_else_does_not_answer_http() {
    let script = "nc -ll -p 8080 -e echo SSH-2.0-none &";
    let why = "http://127.0.0.1:8080/ does not answer HTTP";
    is_not_ready(&serving("a", script, &ready("http: 8080", 2)), why);
}

#[test]
fn a_service_on_its_nics_address_alone_counts() {
    let product = Product::new();
    let address = product.address(21);
    let nic = format!("devices: {{eth0: {{ipv4.address: {address}}}}}, ");
    let script = format!("httpd -p {address}:80 -h /srv");
    let probe = ready("http: {port: 80, path: /page}", 20);
    let there = serving("a", &script, &(nic.clone() + &probe));
    product.declare(&(product.base() + &there));
    product.apply().expect(0);
    assert!(!product.run(&["exec", "a", "--", "nc", "-z", "127.0.0.1", "80"]).out.contains("open"));
    // The address is told by which it was asked.
    let missing = ready("http: {port: 80, path: /healthz}", 1);
    product.declare(&(product.base() + &serving("b", &script, &(nic + &missing))));
    let said =
        product.run(&["apply", "-f", &product.manifest().to_string_lossy(), "--yes", "--allow", "delete=1"]);
    let said = said.expect(3);
    assert!(said.out.contains(&format!("http://{address}:80/healthz answered 404")), "{}", said.out);
}

#[test]
fn a_container_without_a_nic_is_asked_on_its_loopback_of_either_family() {
    let bare = "devices: {eth0: {type: none}}, ";
    for listen in ["127.0.0.1:8080", "[::1]:8080"] {
        let script = format!("httpd -p {listen} -h /srv");
        let probe = ready("http: {port: 8080, path: /page}", 20);
        let (product, said) = applied(&serving("a", &script, &(bare.to_owned() + &probe)));
        said.expect(0);
        assert_eq!(product.inside("a", "ls /sys/class/net"), "lo");
    }
}

#[test]
fn a_firewall_inside_that_drops_what_asks_is_told_as_silence() {
    let product = Product::new();
    product.declare(&(product.base() + &serving("a", "", &ready("tcp: 8080", 20))));
    let mut command = product.command(&["apply", "-f", &product.manifest().to_string_lossy(), "--yes"]);
    let mut apply = Ended(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    eventually(60, "the container runs", || {
        product.run(&["get", "container/a"]).status == 0 && product.pid("a") != 0
    });
    let rules = "add table inet t; add chain inet t in { type filter hook input priority 0; }; \
                 add rule inet t in tcp dport 8080 drop";
    let pid = product.pid("a").to_string();
    let dropped = Command::new("nsenter").args(["-t", &pid, "-n", "nft", rules]).status().unwrap();
    assert!(dropped.success());
    let mut told = String::new();
    apply.0.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(apply.0.wait().unwrap().code(), Some(3), "{told}");
    assert!(told.contains("port 8080 does not answer"), "{told}");
}

#[test]
fn ctrl_c_ends_the_wait_for_an_answer_that_does_not_come() {
    let product = Product::new();
    let script = "nc -ll -p 8080 -e sleep 1000 &";
    product.declare(&(product.base() + &serving("a", script, &ready("http: 8080", 300))));
    let mut apply = Ended(product.spawn(&["apply", "-f", &product.manifest().to_string_lossy(), "--yes"]));
    eventually(60, "the service is asked", || {
        let listed = product.run(&["get", "container/a", "-o", "json"]);
        listed.status == 0 && product.pid("a") != 0 && !product.inside("a", "pidof sleep || true").is_empty()
    });
    let begun = Instant::now();
    kill(Pid::from_raw(apply.0.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(apply.0.wait().unwrap().code(), Some(3));
    assert!(begun.elapsed() < patient(5), "{:?}", begun.elapsed());
}

#[test]
fn what_depends_on_one_that_is_not_ready_waits_for_it_in_the_next_apply_too() {
    let product = Product::new();
    let db = serving("db", "httpd -p 8080 -h /srv", &ready("http: {port: 8080, path: /healthz}", 1));
    let web = Product::container("web", "dependsOn: [container/db]");
    product.declare(&(product.base() + &db + &web));
    product.apply().expect(3);
    let pid = product.pid("db");
    let said = product.apply().expect(3);
    assert!(said.out.contains("/healthz answered 404"), "{}", said.out);
    let listed = product.run(&["get", "containers"]).expect(0).out;
    assert!(listed.contains("NotReady") && !listed.contains("container/web"), "{listed}");
    product.inside("db", "echo ok > /srv/healthz");
    product.apply().expect(0);
    assert!(product.pid("web") != 0 && product.pid("db") == pid, "started without a restart of the other");
    // Seen ready: nothing waits any more, whatever becomes of it.
    product.inside("db", "rm /srv/healthz");
    product.plan().expect(0);
    let listed = product.run(&["get", "containers"]).expect(0).out;
    assert!(!listed.contains("NotReady"), "{listed}");
}

/// Ends with the test, however that ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_rollout_goes_no_further_than_the_first_whose_page_is_not_found() {
    let product = Product::new();
    let site = |page: &str, nesting: bool| {
        let profile = format!(
            "---\napiVersion: bayplan/v1\nkind: Profile\nmetadata: {{name: app}}\nspec: {{config: \
             {{security.nesting: {nesting}}}, files: {{/etc/rc.local: {{content: \"#!/bin/sh\\nrm -f /srv/*\\necho ok > \
             /srv/{page}\\nhttpd -p 80 -h /srv\\n\", mode: \"0755\"}}}}}}\n"
        );
        let template = format!(
            "{{image: busybox, profiles: [net, app], {}}}",
            ready("http: {port: 80, path: /healthz}", 2)
        );
        let set = format!(
            "---\napiVersion: bayplan/v1\nkind: ContainerSet\nmetadata: {{name: c}}\nspec: {{replicas: 3, template: \
             {template}}}\n"
        );
        product.declare(&(product.base() + &profile + &set));
        product.run(&["apply", "-f", &product.manifest().to_string_lossy(), "--yes", "--allow", "restart"])
    };
    site("healthz", false).expect(0);
    let pids = || ["c-0", "c-1", "c-2"].map(|name| product.pid(name));
    let before = pids();
    let said = site("other", true).expect(3);
    assert!(said.out.contains("/healthz answered 404"), "{}", said.out);
    let changed = before.iter().zip(pids()).filter(|(before, after)| *before != after).count();
    assert_eq!(changed, 1, "{}", said.out);
    // Mended by hand, as its init does not run the mended script again by itself.
    product.inside("c-0", "echo ok > /srv/healthz");
    site("healthz", true).expect(0);
    product.plan().expect(0);
}
