//! A container's `ready`: one probe, and its times.

use super::reader::{Fields, Reader, visible};
use crate::model::ready::{HttpProbe, Ready, ReadyProbe};
use crate::spec::report::Wrong;
use crate::spec::tree::{Node, Plain, Value};
use std::num::NonZeroU16;

const FIELDS: Fields =
    Fields { known: &["alive", "systemd", "exec", "tcp", "http", "timeout", "interval"], later: &[] };
pub const PROBES: [&str; 5] = ["alive", "systemd", "exec", "tcp", "http"];
const HTTP: Fields = Fields { known: &["port", "path"], later: &[] };
const PORT_OR_MAPPING: &str = "a port, or a mapping of port and path";

/// `{PROBE, timeout, interval}`.
pub fn read(node: &Node, reader: &mut Reader) -> Option<Ready> {
    if !reader.mapping(node, "ready", &FIELDS) {
        return None;
    }
    let probes: Vec<_> =
        node.entries()?.iter().filter(|entry| PROBES.contains(&entry.key.as_ref())).collect();
    if let [first, second, ..] = probes[..] {
        let message = format!("ready has one probe; `{}` and `{}` are two", first.key, second.key);
        reader.report.error(second.mark, Wrong::new("bad-value", message).help("remove one of them"));
    }
    let probe = probes.first().and_then(|entry| {
        reader.remember(&format!("ready.{}", entry.key), entry.mark, &entry.value);
        probe(&entry.key, &entry.value, reader)
    });
    let mut time = |name: &str| {
        let path = format!("ready.{name}");
        reader.field(node, name, &path).and_then(|node| reader.time_span(node, &path))
    };
    let default = Ready::default();
    Some(Ready {
        timeout: time("timeout").unwrap_or(default.timeout),
        interval: time("interval").unwrap_or(default.interval),
        probe: probe.unwrap_or_default(),
    })
}

fn probe(name: &str, node: &Node, reader: &mut Reader) -> Option<ReadyProbe> {
    let path = format!("ready.{name}");
    match name {
        "exec" => Some(ReadyProbe::Exec(command(node, &path, reader))),
        "tcp" => tcp(node, &path, reader).map(ReadyProbe::Tcp),
        "http" => http(node, &path, reader).map(ReadyProbe::Http),
        _ if !reader.flag(node, &path)? => {
            let wrong = Wrong::new("bad-value", format!("{path} can only be true"));
            reader.report.error(node.mark, wrong.help("remove it, or choose another probe"));
            None
        }
        "systemd" => Some(ReadyProbe::Systemd),
        _ => Some(ReadyProbe::Alive),
    }
}

fn command(node: &Node, path: &str, reader: &mut Reader) -> Vec<String> {
    let command = reader.texts(node, path);
    if matches!(&node.value, Value::List(items) if items.is_empty()) {
        let wrong = Wrong::new("bad-value", "ready.exec needs a command");
        reader.report.error(node.mark, wrong.help("write `exec: [test, -e, /run/ready]`"));
    }
    command
}

fn tcp(node: &Node, path: &str, reader: &mut Reader) -> Option<NonZeroU16> {
    if let Some(inner) = node.get("port").and_then(Node::raw) {
        reader.mistyped(node, path, "a port", Some(format!("write `tcp: {}`", visible(inner))));
        return None;
    }
    port(node, path, reader)
}

/// `PORT`, or `{port, path}`.
fn http(node: &Node, path: &str, reader: &mut Reader) -> Option<HttpProbe> {
    let root = || HttpProbe::ROOT.to_owned();
    let port_path = format!("{path}.port");
    if matches!(node.value, Value::List(_)) {
        reader.mistyped(node, path, PORT_OR_MAPPING, None);
        return None;
    }
    if node.entries().is_none() {
        if let Some((text, Plain::Text)) = node.scalar().filter(|(text, _)| is_address(text)) {
            refuse_address(node, text, path, reader);
            return None;
        }
        let port = port(node, path, reader)?;
        reader.marks.insert(port_path, node.mark);
        return Some(HttpProbe { port, path: root() });
    }
    reader.mapping(node, path, &HTTP);
    let port = match reader.field(node, "port", &port_path) {
        Some(node) => port(node, &port_path, reader),
        None => {
            reader.missing(node.mark, &port_path, "name the port that the service listens on: `port: 80`");
            None
        }
    };
    let request_path = format!("{path}.path");
    let asked = match reader.field(node, "path", &request_path) {
        Some(node) => target(node, &request_path, reader),
        None => Some(root()),
    };
    Some(HttpProbe { port: port?, path: asked? })
}

fn port(node: &Node, path: &str, reader: &mut Reader) -> Option<NonZeroU16> {
    const WANTED: &str = "a port from 1 to 65535";
    let Some((text, Plain::Integer)) = node.scalar() else {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_quoted = matches!(node.scalar(), Some((text, Plain::Text)) if digits(text));
        let help = is_quoted.then(|| "write it without quotes".to_owned());
        reader.mistyped(node, path, WANTED, help);
        return None;
    };
    let port = text.parse().ok();
    if port.is_none() {
        let wrong = Wrong::new("bad-value", format!("{path} must be {WANTED}; it is {text}"));
        reader.report.error(node.mark, wrong.help("write the port that the service inside listens on"));
    }
    port
}

/// Path and query of a request: what would end the request line, or not be sent at all, is refused.
fn target(node: &Node, path: &str, reader: &mut Reader) -> Option<String> {
    let text = reader.text(node, path)?;
    let is_bad = |letter: char| !letter.is_ascii_graphic() || letter == '#';
    let (message, help) = if !text.starts_with('/') {
        let message = format!("{path} must begin with `/`; it is `{}`", visible(&text));
        let help = match is_address(&text) {
            true => "a probe asks the container itself: its port, and the path".to_owned(),
            false => format!("write `path: /{}`", visible(&text)),
        };
        (message, help)
    } else if let Some(letter) = text.chars().find(|letter| is_bad(*letter)) {
        let mut bytes = [0; 4];
        let encoded = letter.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}"));
        let shown = visible(&letter.to_string());
        let message = format!("{path} has a character that no request's path has: `{shown}`");
        (message, format!("write it as `{}`", encoded.collect::<String>()))
    } else {
        return Some(text);
    };
    reader.report.error(node.mark, Wrong::new("bad-value", message).help(help));
    None
}

/// Whether a text is an address of the web, or a part of one.
fn is_address(text: &str) -> bool {
    text.contains([':', '/'])
}

/// `http: "http://127.0.0.1:8080/healthz"` and the like: a port and a path say all of it.
fn refuse_address(node: &Node, text: &str, path: &str, reader: &mut Reader) {
    if text.starts_with("https:") {
        let wrong = Wrong::new("not-supported", format!("{path} does not speak TLS"));
        return reader.report.error(node.mark, wrong.help(WITHOUT_TLS));
    }
    let rest = text.strip_prefix("http://").unwrap_or(text);
    let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse::<NonZeroU16>().ok());
    let port = port.map_or_else(|| "80".to_owned(), |port| port.to_string());
    let target = if target.is_empty() { HttpProbe::ROOT } else { target };
    let help = format!("the container itself is asked: `http: {{port: {port}, path: {}}}`", visible(target));
    reader.mistyped(node, path, PORT_OR_MAPPING, Some(help));
}

/// What stands for a probe over TLS.
pub const WITHOUT_TLS: &str =
    "ask the service's plain port, write `tcp: 443`, or run a program that speaks TLS with `exec`";
