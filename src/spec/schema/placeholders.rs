//! Placeholders in schemas: where a value is more than a text, a text with a placeholder is allowed in its place.

use serde_json::{Map, Value, json};

/// Where a value must be more than a text, a placeholder for one is allowed; not below the fields `without`.
pub fn rendered(mut schema: Value, without: &[&str]) -> Value {
    if let Some(fields) = schema.pointer_mut("/properties").and_then(Value::as_object_mut) {
        for (_, field) in fields.iter_mut().filter(|(name, _)| !without.contains(&name.as_str())) {
            allow_placeholder(field);
        }
    }
    schema
}

fn allow_placeholder(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    let is_container = ["properties", "patternProperties", "additionalProperties", "items"]
        .into_iter()
        .filter(|name| fields.get(*name).is_some_and(|value| !value.is_boolean()))
        .count()
        > 0;
    if is_container {
        for name in ["properties", "patternProperties"] {
            let inner = fields.get_mut(name).and_then(Value::as_object_mut);
            inner.into_iter().flatten().for_each(|(_, schema)| allow_placeholder(schema));
        }
        for name in ["additionalProperties", "items"] {
            fields.get_mut(name).into_iter().for_each(allow_placeholder);
        }
        return;
    }
    for name in ["oneOf", "anyOf"] {
        let choices = fields.get_mut(name).and_then(Value::as_array_mut);
        choices.into_iter().flatten().for_each(allow_placeholder);
    }
    let any_text = fields.get("type").is_some_and(is_text) && !fields.contains_key("pattern");
    let leaf = fields.contains_key("enum")
        || fields.contains_key("const")
        || fields.get("type").is_some_and(|kind| kind != "object" && kind != "array");
    if !leaf || any_text {
        return;
    }
    let outside = ["description", "default"];
    let (kept, rest): (Map<String, Value>, Map<String, Value>) =
        std::mem::take(fields).into_iter().partition(|(name, _)| outside.contains(&name.as_str()));
    *fields = kept;
    fields.insert("anyOf".to_owned(), json!([rest, {"type": "string", "pattern": PLACEHOLDER}]));
}

/// A text with a placeholder in it.
const PLACEHOLDER: &str = r"\$\{ *(values|each)\.";

fn is_text(kind: &Value) -> bool {
    kind == "string" || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "string"))
}
