//! A field without a value (`ready:`) is the same as none: null is allowed wherever a field may be left out.

use serde_json::{Map, Value, json};

/// Allows it in this schema and below.
pub fn nullable(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    let needed = needed(fields);
    if let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, property) in properties {
            nullable(property);
            if !needed.contains(name) {
                allow(property);
            }
        }
    }
    let inner = fields.get_mut("patternProperties").and_then(Value::as_object_mut);
    inner.into_iter().flatten().for_each(|(_, schema)| nullable(schema));
    for name in ["additionalProperties", "items", "then", "else"] {
        fields.get_mut(name).into_iter().for_each(nullable);
    }
    for name in ["oneOf", "anyOf"] {
        let choices = fields.get_mut(name).and_then(Value::as_array_mut);
        choices.into_iter().flatten().for_each(nullable);
    }
}

/// What must be there, and what counts by being there: one of several.
fn needed(schema: &Map<String, Value>) -> Vec<String> {
    let of = |schema: &Map<String, Value>| {
        let required = schema.get("required").and_then(Value::as_array);
        required.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut needed = of(schema);
    for choices in [schema.get("oneOf"), schema.get("then").and_then(|then| then.get("oneOf"))] {
        let choices = choices.and_then(Value::as_array).into_iter().flatten();
        needed.extend(choices.filter_map(Value::as_object).flat_map(of));
    }
    let exclusive = schema.get("dependentSchemas").and_then(Value::as_object);
    needed.extend(exclusive.into_iter().flat_map(Map::keys).cloned());
    needed
}

fn allow(schema: &mut Value) {
    if is_allowed(schema) {
        return;
    }
    let Some(fields) = schema.as_object_mut() else { return };
    let is_closed = ["oneOf", "not", "const", "if"].iter().any(|word| fields.contains_key(*word));
    if let Some(kinds) = fields.get_mut("type").filter(|_| !is_closed) {
        add_null(kinds);
        fields.get_mut("enum").and_then(Value::as_array_mut).into_iter().for_each(push_null);
    } else if let (Some(choices), false) = (fields.get_mut("anyOf").and_then(Value::as_array_mut), is_closed)
    {
        choices.push(json!({"type": "null"}));
    } else if let (Some(words), false) = (fields.get_mut("enum").and_then(Value::as_array_mut), is_closed) {
        push_null(words);
    } else {
        wrap(fields);
    }
}

fn is_allowed(schema: &Value) -> bool {
    let has_null = |word: &str, null: Value| {
        schema.get(word).and_then(Value::as_array).is_some_and(|words| words.contains(&null))
    };
    let choices = schema.get("anyOf").and_then(Value::as_array);
    schema.get("type").is_some_and(|kind| kind == "null")
        || has_null("type", json!("null"))
        || has_null("enum", Value::Null)
        || choices.into_iter().flatten().any(is_allowed)
}

fn add_null(kinds: &mut Value) {
    match kinds {
        Value::Array(kinds) => kinds.push(json!("null")),
        kind => *kind = json!([kind.clone(), "null"]),
    }
}

fn push_null(words: &mut Vec<Value>) {
    words.push(Value::Null);
}

/// Documentation stays outside, where editors look for it.
fn wrap(fields: &mut Map<String, Value>) {
    let outside = ["description", "default"];
    let (kept, rest): (Map<String, Value>, Map<String, Value>) =
        std::mem::take(fields).into_iter().partition(|(name, _)| outside.contains(&name.as_str()));
    // What nothing matches for now is not there to be left empty either.
    let is_refused = rest.get("not").is_some_and(|not| *not == json!({}));
    *fields = kept;
    if is_refused {
        fields.extend(rest);
    } else {
        fields.insert("anyOf".to_owned(), json!([rest, {"type": "null"}]));
    }
}
