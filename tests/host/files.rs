//! Files inside, on real containers: written, repaired, removed, followed by commands.

use crate::product::Product;
use std::fs;

fn with_files(product: &Product, more: &str) -> String {
    product.base() + &Product::container("a", more)
}

#[test]
fn files_are_there_when_init_starts_and_change_live() {
    let product = Product::new();
    fs::create_dir(product.folder().join("etc")).unwrap();
    fs::write(product.folder().join("etc/motd"), "from beside the manifest\n").unwrap();
    let first = "files: {/etc/app/deep/app.conf: {content: \"port = 80\\n\", mode: \"0640\", owner: 33, group: tty}, \
                 /etc/motd: {source: etc/motd}, \
                 /etc/rc.local: {content: \"#!/bin/sh\\ncat /etc/motd > /root/seen\\n\", mode: \"0755\"}}";
    product.declare(&with_files(&product, first));
    product.apply().expect(0);
    product.plan().expect(0);
    assert_eq!(product.inside("a", "cat /root/seen"), "from beside the manifest", "before init");
    assert_eq!(product.inside("a", "stat -c '%a %u %g' /etc/app/deep/app.conf"), "640 33 5");
    assert_eq!(product.inside("a", "stat -c '%a %u %g' /etc/app/deep"), "755 0 0");
    let pid = product.pid("a");

    // The file beside the manifest changes, and another one by the manifest.
    fs::write(product.folder().join("etc/motd"), "changed\n").unwrap();
    product.declare(&with_files(&product, &first.replace("port = 80", "port = 81").replace("0640", "0600")));
    let plan = product.plan().expect(2);
    assert!(plan.out.contains("port = 81") && plan.out.contains("/etc/motd"), "{}", plan.out);
    product.apply().expect(0);
    product.plan().expect(0);
    assert_eq!(product.inside("a", "cat /etc/motd /etc/app/deep/app.conf"), "changed\nport = 81");
    assert_eq!(product.inside("a", "stat -c %a /etc/app/deep/app.conf"), "600");
    assert_eq!(product.pid("a"), pid, "live");
    assert_eq!(product.inside("a", "find / -xdev -name '.bayplan*'"), "");

    // What is no longer declared goes, if it is ours: the image has its own rc.local's folder, and no motd.
    product.declare(&with_files(&product, "config: {}"));
    product.apply().expect(0);
    product.plan().expect(0);
    product.run(&["exec", "a", "-T", "--", "test", "-e", "/etc/app/deep/app.conf"]).expect(1);
    product.run(&["exec", "a", "-T", "--", "test", "-d", "/etc/app/deep"]).expect(0);
}

#[test]
fn a_file_of_the_image_is_replaced_and_not_removed() {
    let product = Product::new();
    product.declare(&with_files(&product, "files: {/etc/hosts: {content: \"127.0.0.1 mine\\n\"}}"));
    product.apply().expect(0);
    assert_eq!(product.inside("a", "cat /etc/hosts"), "127.0.0.1 mine");
    product.declare(&with_files(&product, "config: {}"));
    product.apply().expect(0);
    product.plan().expect(0);
    assert_eq!(product.inside("a", "cat /etc/hosts"), "127.0.0.1 mine", "the image had one there");
}

#[test]
fn drift_of_content_mode_owner_and_kind_is_seen_and_repaired() {
    let product = Product::new();
    product.declare(&with_files(&product, "files: {/etc/app.conf: {content: \"x\\n\"}}"));
    product.apply().expect(0);
    for (spoil, word) in [
        ("echo y > /etc/app.conf", ".content"),
        ("chmod 666 /etc/app.conf", "0666"),
        ("chown 33 /etc/app.conf", "owner"),
        ("chgrp 5 /etc/app.conf", "tty"),
        ("rm /etc/app.conf", "nothing"),
        ("ln -sf /etc/passwd /etc/app.conf", "a link"),
        ("rm /etc/app.conf; mkfifo /etc/app.conf", "special file"),
    ] {
        product.inside("a", spoil);
        let drift = product.drift().expect(2);
        assert!(
            drift.out.contains("files./etc/app.conf") && drift.out.contains(word),
            "{spoil}: {}",
            drift.out
        );
        product.apply().expect(0);
        product.drift().expect(0);
        assert_eq!(
            product.inside("a", "cat /etc/app.conf; stat -c '%a %u %g %F' /etc/app.conf"),
            "x\n644 0 0 regular file"
        );
        assert_eq!(product.inside("a", "head -c 5 /etc/passwd"), "root:", "no link was followed");
    }
    // A folder in the way is not removed.
    product.inside("a", "rm /etc/app.conf; mkdir /etc/app.conf");
    let said = product.apply().expect(3);
    assert!(said.out.contains("folder") || said.err.contains("folder"), "{said:?}");
    product.inside("a", "rmdir /etc/app.conf");
    product.apply().expect(0);
}

#[test]
fn links_inside_lead_nowhere_outside() {
    let product = Product::new();
    product.declare(&with_files(&product, "config: {}"));
    product.apply().expect(0);
    let outside = product.folder().join("outside");
    fs::create_dir(&outside).unwrap();
    let trap = outside.display();
    product.inside("a", &format!("ln -s {trap} /etc/trap; ln -s ../../../../../..{trap} /etc/up; ln -s /usr/own /etc/own; mkdir -p /usr/own"));
    product.declare(&with_files(&product, "files: {/etc/own/x: {content: ok}}"));
    product.apply().expect(0);
    assert_eq!(product.inside("a", "cat /usr/own/x"), "ok", "a link inside is followed inside");
    for path in ["/etc/trap/x", "/etc/up/x"] {
        product.declare(&with_files(&product, &format!("files: {{{path}: {{content: bad}}}}")));
        product.apply().expect(3);
        product.declare(&with_files(&product, "config: {}"));
        product.apply().expect(0);
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn a_command_follows_changes_and_its_failure_is_told_and_tried_again() {
    let product = Product::new();
    let site = |text: &str| {
        with_files(
            &product,
            &format!(
                "files: {{/etc/one: {{content: {text}, onChange: [sh, -c, \"cat /etc/one >> /root/log; test ! -e /root/fail\"]}}, \
             /etc/two: {{content: {text}, onChange: [sh, -c, \"cat /etc/one >> /root/log; test ! -e /root/fail\"]}}}}"
            ),
        )
    };
    product.declare(&site("\"a\\n\""));
    product.apply().expect(0);
    product.run(&["exec", "a", "-T", "--", "test", "-e", "/root/log"]).expect(1);
    product.declare(&site("\"b\\n\""));
    product.apply().expect(0);
    assert_eq!(product.inside("a", "cat /root/log"), "b", "once for both files, after both");
    product.plan().expect(0);
    product.inside("a", "touch /root/fail");
    product.declare(&site("\"c\\n\""));
    let said = product.apply().expect(3);
    assert!(said.out.contains("ended with status 1") || said.err.contains("ended with status 1"), "{said:?}");
    product.plan().expect(2);
    product.inside("a", "rm /root/fail");
    product.apply().expect(0);
    assert_eq!(product.inside("a", "cat /root/log"), "b\nc\nc");
    product.plan().expect(0);
}

#[test]
fn a_stopped_container_gets_its_files_and_an_unknown_owner_is_told() {
    let product = Product::new();
    product.declare(&with_files(&product, "state: stopped, files: {/etc/x: {content: one, owner: 33}}"));
    product.apply().expect(0);
    product.plan().expect(0);
    product.declare(&with_files(&product, "state: stopped, files: {/etc/x: {content: two, owner: 33}}"));
    product.plan().expect(2);
    product.apply().expect(0);
    product.plan().expect(0);
    product.declare(&with_files(&product, "files: {/etc/x: {content: two, owner: 33}}"));
    product.apply().expect(0);
    product.plan().expect(0);
    assert_eq!(product.inside("a", "cat /etc/x; stat -c ' %u' /etc/x"), "two 33");
    product.declare(&with_files(&product, "files: {/etc/x: {content: two, owner: nobody-here}}"));
    let said = product.apply().expect(3);
    let failed = said.out.lines().find(|line| line.starts_with("failed: ")).unwrap();
    let told =
        "failed: write file /etc/x container/a: its /etc/passwd has no user nobody-here to own /etc/x  (";
    assert!(failed.starts_with(told) && failed.contains("site.yaml:"), "{said:?}");
    assert!(said.out.contains("make the user inside"), "{said:?}");
    product.inside("a", "mkdir /etc/p2");
    product
        .declare(&with_files(&product, "files: {/etc/x: {content: two, owner: 33}, /etc/p2: {content: p}}"));
    let said = product.apply().expect(3);
    let told = "there is a folder at /etc/p2, where a file is declared  (";
    assert!(said.out.contains(told) && said.out.contains("remove or move it inside"), "{said:?}");
    product.declare(&with_files(&product, "files: {/etc/x: {content: two, owner: nobody-here}}"));
    product.inside("a", "echo 'nobody-here:x:77:77::/:/bin/sh' >> /etc/passwd");
    product.apply().expect(0);
    assert_eq!(product.inside("a", "stat -c %u /etc/x"), "77");
    product.plan().expect(0);
    let privileged = "config: {security.privileged: true}, files: {/etc/p: {content: p, owner: 12}}";
    product.declare(&(product.base() + &Product::container("p", privileged)));
    product.apply().expect(0);
    product.plan().expect(0);
    assert_eq!(product.inside("p", "stat -c %u /etc/p"), "12");
}

#[test]
fn a_plain_variable_reaches_the_next_exec_and_host_names_are_the_containers() {
    let product = Product::new();
    product.declare(&with_files(&product, "environment: {COLOUR: blue}"));
    product.apply().expect(0);
    let pid = product.pid("a");
    assert_eq!(product.inside("a", "echo $COLOUR"), "blue");
    product.declare(&with_files(&product, "environment: {COLOUR: red}"));
    product.apply().expect(0);
    product.plan().expect(0);
    assert_eq!((product.inside("a", "echo $COLOUR").as_str(), product.pid("a")), ("red", pid));
    assert_eq!(product.inside("a", "cat /etc/hostname; hostname"), "a\na");
    assert!(product.inside("a", "cat /etc/hosts").contains("127.0.1.1\ta"));
}

#[test]
fn a_template_is_filled_changed_live_and_repaired() {
    let product = Product::new();
    fs::write(product.folder().join("app.tmpl"), "port = ${values.port}\nhome = $${HOME}\n").unwrap();
    let site = |port: u16| {
        let files = "files: {/etc/app.conf: {template: app.tmpl, mode: \"0640\", \
                     onChange: [sh, -c, \"cat /etc/app.conf > /root/seen\"]}}";
        with_files(&product, files).replacen("spec: {}", &format!("spec: {{values: {{port: {port}}}}}"), 1)
    };
    product.declare(&site(80));
    product.apply().expect(0);
    product.plan().expect(0);
    assert_eq!(product.inside("a", "cat /etc/app.conf"), "port = 80\nhome = ${HOME}");
    assert_eq!(product.inside("a", "stat -c %a /etc/app.conf"), "640");
    let pid = product.pid("a");

    product.declare(&site(8080));
    let plan = product.plan().expect(2);
    assert!(plan.out.contains("app.tmpl:1, "), "{}", plan.out);
    product.apply().expect(0);
    product.plan().expect(0);
    assert_eq!(product.inside("a", "cat /root/seen"), "port = 8080\nhome = ${HOME}", "onChange saw it");

    fs::write(product.folder().join("app.tmpl"), "listen ${values.port}\n").unwrap();
    product.apply().expect(0);
    product.plan().expect(0);
    assert_eq!(product.inside("a", "cat /etc/app.conf"), "listen 8080");

    product.inside("a", "echo other > /etc/app.conf");
    let drift = product.drift().expect(2);
    assert!(drift.out.contains("files./etc/app.conf.content"), "{}", drift.out);
    product.apply().expect(0);
    assert_eq!(product.inside("a", "cat /etc/app.conf"), "listen 8080");
    assert_eq!(product.pid("a"), pid, "live");
}
