//! The generated files are current, and an independent validator agrees with the loader.

use crate::golden::{assert_golden, folder};
use crate::spec_load::{examples, text as text_of};
use bayplan::model::key::Kind;
use bayplan::spec::document::{METADATA, container, host, image, network, pool, profile, secret, set, site};
use bayplan::spec::{load_hosts, registry, schema};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

/// Every document of a YAML text.
pub fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

pub fn validator() -> jsonschema::Validator {
    let (_, text) = schema::all().into_iter().find(|(name, _)| name == "manifest.json").unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

#[test]
fn the_committed_schemas_are_current() {
    for (name, text) in schema::all() {
        assert_golden(&format!("schemas/{name}"), &text);
    }
}

#[test]
fn the_documentation_of_config_keys_is_current() {
    assert_golden("docs/config-keys.md", &registry::markdown::markdown());
}

#[test]
fn a_schema_lists_the_fields_that_the_loader_reads() {
    let metadata = &METADATA;
    for (kind, fields) in [
        (Kind::Site, &site::FIELDS),
        (Kind::Host, &host::FIELDS),
        (Kind::Image, &image::FIELDS),
        (Kind::StoragePool, &pool::FIELDS),
        (Kind::Network, &network::FIELDS),
        (Kind::Secret, &secret::FIELDS),
        (Kind::Profile, &profile::FIELDS),
        (Kind::ContainerSet, &set::FIELDS),
        (Kind::Container, &container::FIELDS),
    ] {
        let spec = schema::spec(kind);
        // A choice of one field has a schema for each.
        let choices = spec["oneOf"].as_array().into_iter().flatten().chain([&spec]);
        let properties = choices.filter_map(|schema| schema["properties"].as_object());
        let listed: BTreeSet<&str> =
            properties.flat_map(|fields| fields.keys()).map(String::as_str).collect();
        // `external` stands alone: the document's schema has it as a choice.
        let own = fields.known.iter().copied().filter(|field| *field != "external");
        assert_eq!(listed, own.collect(), "{kind}");
    }
    let known = [
        "name",
        "labels",
        "annotations",
        "description",
        "memberOf",
        "deletion",
        "movedFromSite",
        "renamedFrom",
    ];
    assert_eq!(metadata.known, known);
}

#[test]
fn an_independent_validator_accepts_every_example() {
    let validator = validator();
    for path in examples() {
        for document in documents(&fs::read_to_string(&path).unwrap()) {
            let errors: Vec<String> =
                validator.iter_errors(&document).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", path.display());
        }
    }
}

/// Bad manifests whose every value is right by itself: what is wrong with them is between values, documents, hosts or
/// files, in the layers, in YAML itself, or a name that the loader likens to others.
const BETWEEN_VALUES: &[&str] = &[
    "container-depends-on-itself",
    "container-image-missing",
    "container-other-architecture",
    "container-twice",
    "containers-depend-in-a-circle",
    "device-untyped",
    "disk-outside-the-source",
    "disk-paths-twice",
    "envelope-no-api-version",
    "hosts-elsewhere",
    "hosts-other-machine",
    "hosts-twice",
    "image-directory-escapes",
    "network-nat-without-address",
    "networks-overlap",
    "networks-overlap-built-in",
    "nic-address-outside",
    "nic-address-twice",
    "nic-mac-and-host-name-twice",
    "nic-names-twice",
    "placement-references",
    "placement-unknown-hosts",
    "placement-without-hosts",
    "pool-folder-escapes",
    "pools-in-one-folder",
    "reference-among-many",
    "root-missing",
    "root-removed",
    "root-twice",
    "set-collisions",
    "set-dependencies",
    "set-too-many",
    "site-twice",
    "targets-elsewhere",
    "template",
    "values-none",
    "values-unknown",
    "yaml-only-empty-documents",
    "yaml-tag",
];

#[test]
fn an_independent_validator_refuses_what_one_value_gives_away() {
    let validator = validator();
    let mut wrong = vec![];
    for entry in fs::read_dir(folder("tests/it/findings")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        // What is no YAML is refused by whoever reads it for the validator.
        let read: Result<Vec<Value>, _> = serde_saphyr::from_multiple(&fs::read_to_string(&path).unwrap());
        let refused = read.map_or(true, |it| it.iter().any(|document| !validator.is_valid(document)));
        if refused == BETWEEN_VALUES.contains(&name.as_str()) {
            wrong.push(format!("{name} is refused: {refused}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_schemas_know_what_each_kind_has_of_pruning_and_of_others_objects() {
    let validator = validator();
    let accepts = |text: &str| validator.is_valid(&documents(text)[0]);
    let external = "spec: {external: true, placement: {hosts: [a]}}";
    for kind in Kind::ALL {
        let takes = matches!(kind, Kind::Image | Kind::StoragePool | Kind::Network | Kind::Container);
        let text = format!("kind: {kind}\nmetadata: {{name: x}}\n{external}\n");
        assert_eq!(accepts(&text), takes, "{text}");
    }
    let with = |kind: &str, metadata: &str, spec: &str| {
        accepts(&format!("kind: {kind}\nmetadata: {{name: x, {metadata}}}\nspec: {spec}\n"))
    };
    let set = "{replicas: 1, template: {image: i}}";
    assert!(with("Container", "deletion: park", "{image: i}") && with("ContainerSet", "deletion: park", set));
    assert!(with("ContainerSet", "movedFromSite: edge", set) && !with("ContainerSet", "memberOf: y", set));
    assert!(with("Secret", "deletion: retain", "{env: A}") && !with("Secret", "deletion: park", "{env: A}"));
    assert!(with("Secret", "deletion: \"${values.way}\"", "{env: A}"));
    for metadata in ["deletion: retain", "movedFromSite: edge", "memberOf: y"] {
        assert!(!with("Host", metadata, "{}"), "{metadata}");
    }
    assert!(!with("Site", "deletion: retain", "{}") && with("Site", "movedFromSite: edge", "{}"));
    assert!(with("Site", "labels: {}", "{prune: {max: 5, mode: \"${values.mode}\"}}"));
}

/// The manifests of the language's definition that are refused for now, a document each.
const LATER: [&str; 9] = [
    "kind: Image\nmetadata: {name: x}\nspec: {source: {remote: images, alias: debian/12}}",
    "kind: Image\nmetadata: {name: x}\nspec: {source: {server: \"https://a\", protocol: oci, alias: debian}}",
    "kind: Image\nmetadata: {name: x}\nspec: {source: {file: ./image.tar.xz}}",
    "kind: Image\nmetadata: {name: x}\nspec: {source: {metadata: ./meta.tar.xz, rootfs: ./root.squashfs}}",
    "kind: Image\nmetadata: {name: x}\nspec: {source: {busybox: {}}, update: auto}",
    "kind: Container\nmetadata: {name: x}\nspec: {image: \"images:debian/12\"}",
    "kind: Container\nmetadata: {name: x}\nspec: {image: i, update: {window: {}}}",
    "kind: Container\nmetadata: {name: x}\nspec: {image: i, devices: {bus: {use: rs485, path: /dev/rs485}}}",
    "kind: Device\nmetadata: {name: x}\nspec: {type: unix-char, source: /dev/ttyS0, share: exclusive, required: false}",
];

#[test]
fn the_schemas_keep_the_shapes_of_what_is_refused_for_now() {
    let (_, text) = schema::all().into_iter().find(|(name, _)| name == "manifest.json").unwrap();
    let strict: Value = serde_json::from_str(&text).unwrap();
    let mut lenient = strict.clone();
    lift_refusals(&mut lenient);
    let (strict, lenient) =
        (jsonschema::validator_for(&strict).unwrap(), jsonschema::validator_for(&lenient).unwrap());
    for manifest in LATER {
        let document = &documents(manifest)[0];
        let errors: Vec<String> = lenient.iter_errors(document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "no shape for {manifest}: {errors:?}");
        assert!(!strict.is_valid(document), "not refused: {manifest}");
        let text = text_of("later.yaml", &format!("apiVersion: bayplan/v1\n{manifest}\n"));
        let findings = load_hosts(&[text], "amd64").unwrap_err();
        assert!(findings.iter().any(|finding| finding.code == "not-supported"), "{manifest}: {findings:#?}");
    }
}

/// The schema as it will be once nothing is refused: `not: {}` matches nothing.
fn lift_refusals(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.retain(|name, value| {
                !(name == "not" && value.as_object().is_some_and(|not| not.is_empty()))
            });
            fields.values_mut().for_each(lift_refusals);
        }
        Value::Array(items) => items.iter_mut().for_each(lift_refusals),
        _ => {}
    }
}
