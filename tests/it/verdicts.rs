//! The loader and an independent JSON Schema validator come to the same verdict on manifests with one thing wrong in them:
//! every example, with each of its values in turn made something that it may not be.

use crate::spec_load::{examples, text};
use bayplan::spec::{load_hosts, schema};
use serde_json::{Value, json};
use std::fs;

/// What a value is made.
const WRONGS: [fn(&Value) -> Option<Value>; 3] = [with_a_stranger, a_list_in_a_list, a_strange_mapping];

/// A mapping with a field that nobody knows.
fn with_a_stranger(value: &Value) -> Option<Value> {
    let mut fields = value.as_object()?.clone();
    fields.insert("zzz.stranger".to_owned(), json!({"zzz": []}));
    Some(Value::Object(fields))
}

fn a_list_in_a_list(_: &Value) -> Option<Value> {
    Some(json!([[]]))
}

fn a_strange_mapping(_: &Value) -> Option<Value> {
    Some(json!({"zzz": [{}]}))
}

/// The pointers (RFC 6901) of all values in a document.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, below) in fields {
                pointers(below, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), all);
            }
        }
        Value::Array(items) => {
            for (index, below) in items.iter().enumerate() {
                pointers(below, &format!("{at}/{index}"), all);
            }
        }
        _ => {}
    }
}

#[test]
fn an_independent_validator_comes_to_the_same_verdict_on_manifests_with_one_thing_wrong() {
    let (_, manifest) = schema::all().into_iter().find(|(name, _)| name == "manifest.json").unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&manifest).unwrap()).unwrap();
    let (mut refused, mut disagreed) = (0, vec![]);
    for path in examples() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(&path).unwrap()).unwrap();
        for (index, document) in documents.iter().enumerate() {
            let mut places = vec![];
            pointers(document, "", &mut places);
            for place in &places {
                for wrong in WRONGS {
                    let mut bad = documents.clone();
                    let spot = bad[index].pointer_mut(place).unwrap();
                    let Some(value) = wrong(spot) else { continue };
                    *spot = value;
                    let is_valid = validator.is_valid(&bad[index]);
                    // JSON is YAML.
                    let all: Vec<String> = bad.iter().map(Value::to_string).collect();
                    let is_loaded = load_hosts(&[text("site.yaml", &all.join("\n---\n"))], "amd64").is_ok();
                    refused += usize::from(!is_valid && !is_loaded);
                    if is_valid != is_loaded {
                        disagreed.push(format!(
                            "{name}, document {index}, {place}: {} (loaded: {is_loaded})",
                            bad[index]
                        ));
                    }
                }
            }
        }
    }
    assert!(disagreed.is_empty(), "{} of {refused}:\n{}", disagreed.len(), disagreed.join("\n"));
    assert!(refused >= 200, "{refused}");
}
