//! `ready: {tcp, http}`: how it is read, told and kept, and what answers of a web service count.

use crate::reconcile_support::*;
use crate::spec_load::load_text;
use bayplan::model::key::Key;
use bayplan::model::object::{Container, Spec};
use bayplan::model::ready::{HttpProbe, ReadyProbe};
use bayplan::model::step::Class;
use bayplan::network::http::{self, AskError};
use bayplan::network::service::Patience;
use bayplan::reconcile::goal::Goal;
use bayplan::spec::{LoadContext, canonical, minimal, schema};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn manifest(ready: &str) -> String {
    format!(
        "apiVersion: bayplan/v1\nkind: Image\nmetadata: {{name: i}}\nspec: {{source: {{busybox: {{}}}}}}\n---\n\
         kind: Container\nmetadata: {{name: c}}\nspec:\n  image: i\n  ready: {ready}\n"
    )
}

#[track_caller]
fn loaded(text: &str, name: &str) -> Container {
    let desired = load_text(text).unwrap_or_else(|findings| panic!("{text}: {findings:#?}")).desired;
    match &desired.objects[&Key::container(name)].spec {
        Spec::Container(container) => (**container).clone(),
        other => panic!("{other:?}"),
    }
}

fn port(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

fn get(number: u16, path: &str) -> ReadyProbe {
    ReadyProbe::Http(HttpProbe { port: port(number), path: path.to_owned() })
}

#[test]
fn a_probe_over_the_network_has_a_short_form_and_is_written_again_in_the_shortest() {
    for (written, probe, short) in [
        ("{tcp: 80}", ReadyProbe::Tcp(port(80)), json!({"tcp": 80})),
        ("{http: 8080}", get(8080, "/"), json!({"http": 8080})),
        ("{http: {port: 8080}}", get(8080, "/"), json!({"http": 8080})),
        ("{http: {port: 1, path: /}, timeout: 60s}", get(1, "/"), json!({"http": 1})),
        (
            "{http: {port: 65535, path: \"/a?b=$${c}&d=%20\"}, interval: 1s}",
            get(65535, "/a?b=${c}&d=%20"),
            json!({"http": {"port": 65535, "path": "/a?b=$${c}&d=%20"}, "interval": "1s"}),
        ),
    ] {
        let text = manifest(written);
        assert_eq!(loaded(&text, "c").ready.probe, probe, "{written}");
        let desired = load_text(&text).unwrap().desired;
        let key = Key::container("c");
        let documents = minimal::documents(&desired, &LoadContext::new("amd64"), Path::new("/site"));
        assert_eq!(documents[&key]["spec"]["ready"], short, "{written}");
        for ready in [&canonical::by_key(&desired, None)[&key]["spec"]["ready"], &short] {
            assert_eq!(loaded(&manifest(&ready.to_string()), "c").ready, loaded(&text, "c").ready);
        }
        // As records and plans keep it.
        let kept = serde_json::to_value(loaded(&text, "c").ready).unwrap();
        assert_eq!(serde_json::from_value::<bayplan::model::ready::Ready>(kept).unwrap().probe, probe);
    }
}

#[test]
fn the_schema_takes_a_probe_over_the_network_where_the_loader_does() {
    let (_, text) = schema::all().into_iter().find(|(name, _)| name == "manifest.json").unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap();
    let cases = [
        (true, "{tcp: 1}"),
        (true, "{tcp: 65535}"),
        (true, "{http: 80}"),
        (true, "{http: {port: 80}}"),
        (true, "{http: {port: 80, path: \"/a/b?c=d\"}}"),
        (false, "{tcp: 0}"),
        (false, "{tcp: 65536}"),
        (false, "{tcp: -1}"),
        (false, "{tcp: \"80\"}"),
        (false, "{tcp: [80]}"),
        (false, "{tcp: {port: 80}}"),
        (false, "{http: 0}"),
        (false, "{http: {}}"),
        (false, "{http: {path: /}}"),
        (false, "{http: {port: 65536}}"),
        (false, "{http: {port: 80, path: a}}"),
        (false, "{http: {port: 80, path: \"/a b\"}}"),
        (false, "{http: {port: 80, path: \"/a#b\"}}"),
        (false, "{http: {port: 80, path: \"/\u{e4}\"}}"),
        (false, "{http: {port: 80, scheme: https}}"),
        (false, "{http: \":80/\"}"),
        (false, "{https: 443}"),
    ];
    for (is_good, ready) in cases {
        let text = manifest(ready);
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        assert_eq!(validator.is_valid(&documents[1]), is_good, "the schema, {ready}");
        assert_eq!(load_text(&text).is_ok(), is_good, "the loader, {ready}");
    }
}

#[test]
fn ports_and_paths_take_values() {
    let text = "\
apiVersion: bayplan/v1
kind: Site
metadata: {name: edge}
spec: {values: {port: 8080, app: shop}}
---
kind: Image
metadata: {name: i}
spec: {source: {busybox: {}}}
---
kind: ContainerSet
metadata: {name: s}
spec:
  for: {a: {port: 81}, b: {port: 82}}
  template: {image: i, ready: {tcp: \"${each.port}\"}}
---
kind: Container
metadata: {name: c}
spec: {image: i, ready: {http: {port: \"${values.port}\", path: \"/${values.app}/healthz\"}}}
---
kind: Container
metadata: {name: d}
spec: {image: i, ready: {http: \"${values.port}\"}}
";
    assert_eq!(loaded(text, "s-a").ready.probe, ReadyProbe::Tcp(port(81)));
    assert_eq!(loaded(text, "s-b").ready.probe, ReadyProbe::Tcp(port(82)));
    assert_eq!(loaded(text, "c").ready.probe, get(8080, "/shop/healthz"));
    assert_eq!(loaded(text, "d").ready.probe, get(8080, "/"));
    let (_, schema) = schema::all().into_iter().find(|(name, _)| name == "manifest.json").unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    for document in serde_saphyr::from_multiple::<Value>(text).unwrap() {
        assert!(validator.is_valid(&document), "{document}");
    }
    let findings = load_text(&text.replace("port: 82", "port: 0")).unwrap_err();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert!(findings[0].message.contains("ready.tcp must be a port from 1 to 65535; it is 0"));
}

#[test]
fn another_probe_is_a_change_of_the_record_alone() {
    let host = server();
    let before = load_text(&manifest("{tcp: 80}")).unwrap().desired;
    converge(&host, &Goal::Site(&before), &options());
    let after = load_text(&manifest("{http: {port: 80, path: /healthz}}")).unwrap().desired;
    let plan = converge(&host, &Goal::Site(&after), &options());
    let steps = plan.steps.iter().filter(|step| step.key == Key::container("c"));
    let reasons: Vec<&str> =
        steps.flat_map(|step| &step.reasons).map(|reason| reason.field.as_str()).collect();
    let fields: Vec<&str> = reasons.into_iter().filter(|field| !field.is_empty()).collect();
    assert_eq!(fields, ["ready.http.path", "ready.http.port", "ready.tcp"], "{plan:#?}");
    assert!(plan.steps.iter().all(|step| step.class == Class::Record), "{plan:#?}");
}

#[test]
fn a_service_that_does_not_answer_fails_the_apply_with_what_it_said() {
    let host = server();
    host.edit_host(|host| host.unserved.extend(["80/healthz".to_owned()]));
    let desired = load_text(&manifest("{http: {port: 80, path: /healthz}}")).unwrap().desired;
    let plan = planned(&host, &Goal::Site(&desired), &options());
    let report = carry_out(&host, &plan, 1);
    let told = serde_json::to_string(&report).unwrap();
    assert!(told.contains("http://127.0.0.1:80/healthz answered 404"), "{told}");
}

/// Asks a service that does with its connection what `serve` does.
fn asked(path: &str, time: Duration, serve: impl FnOnce(TcpStream) + Send) -> Result<u16, AskError> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| serve(listener.accept().unwrap().0));
        let stream = TcpStream::connect(address).unwrap();
        let patience = Patience { until: Instant::now() + time, cancelled: &|| false };
        let answer = http::get(stream, path, patience)?;
        assert_eq!(answer.url, format!("http://{address}{path}"));
        assert_eq!(answer.is_good(), (200..400).contains(&answer.status));
        Ok(answer.status)
    })
}

const LONG: Duration = Duration::from_secs(20);

fn says(text: &'static str) -> Result<u16, AskError> {
    asked("/", LONG, move |mut stream| {
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).unwrap() > 0);
        let _ = stream.write_all(text.as_bytes());
    })
}

#[test]
fn the_request_is_one_that_servers_understand() {
    let answered = asked("/a?b=c", LONG, |mut stream| {
        let mut request = [0; 1024];
        let length = stream.read(&mut request).unwrap();
        let request = String::from_utf8(request[..length].to_vec()).unwrap();
        let host = format!("Host: {}\r\n", stream.local_addr().unwrap());
        assert!(request.starts_with("GET /a?b=c HTTP/1.1\r\n") && request.contains(&host), "{request}");
        assert!(request.contains("\r\nConnection: close\r\n") && request.ends_with("\r\n\r\n"), "{request}");
        stream.write_all(b"HTTP/1.0 204 No Content\r\n\r\n").unwrap();
    });
    assert_eq!(answered.unwrap(), 204);
}

#[test]
fn the_status_counts_whatever_follows_it() {
    assert_eq!(says("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nnot all of it").unwrap(), 200);
    assert_eq!(says("HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\n").unwrap(), 302);
    assert_eq!(says("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503 No\r\n\r\n").unwrap(), 503);
}

#[test]
fn what_is_no_whole_answer_is_told_as_what_it_is() {
    let not_http = says("SSH-2.0-OpenSSH_9.2\r\n").unwrap_err();
    assert!(matches!(not_http, AskError::NotHttp { .. }), "{not_http}");
    assert!(not_http.to_string().ends_with("/ does not answer HTTP"), "{not_http}");
    for cut in ["", "HTTP/1.1 200 OK\r\nA: b\r\n"] {
        let closed = says(cut).unwrap_err();
        assert!(matches!(closed, AskError::Closed { .. }), "{cut:?}: {closed}");
    }
}

#[test]
fn a_hostile_service_can_neither_hold_a_probe_nor_fill_its_memory() {
    // A byte now and then: each read is quick, all together end.
    let begun = Instant::now();
    let slow = asked("/", Duration::from_millis(600), |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nA: ");
        while stream.write_all(b"b").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert!(matches!(slow, Err(AskError::Silent { .. })), "{slow:?}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    for line in ["A: b\r\n", "A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"]
    {
        let sent = AtomicUsize::new(0);
        let endless = asked("/", LONG, |mut stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
            while sent.load(Ordering::Relaxed) < 64 << 20 && stream.write_all(line.as_bytes()).is_ok() {
                sent.fetch_add(line.len(), Ordering::Relaxed);
            }
        });
        assert!(matches!(endless, Err(AskError::TooLong { .. })), "{endless:?}");
        assert!(sent.load(Ordering::Relaxed) < 64 << 20, "it was heard to the end");
    }
}

#[test]
fn a_question_that_is_no_longer_wanted_is_dropped() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let begun = Instant::now();
    let cancelled = || begun.elapsed() > Duration::from_millis(50);
    let patience = Patience { until: begun + LONG, cancelled: &cancelled };
    let answer = http::get(stream, "/", patience);
    assert!(matches!(answer, Err(AskError::Cancelled)), "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}
