//! Config values in schemas: for each type of the registry the texts and numbers that the loader takes. Where that needs
//! arithmetic (a range from high to low, a subnet's own address) the loader alone says it; docs/manifests.md lists it.

use super::names;
use crate::spec::registry::value::ValueType;
use serde_json::{Value, json};

/// A whole number from 1 on, as digits.
const POSITIVE: &str = "0*[1-9][0-9]*";
const PERCENT: &str = "0*([1-9][0-9]?|100) *%";
const UNITS: &str = "(B|kB|MB|GB|TB|PB|EB|KiB|MiB|GiB|TiB|PiB|EiB)?";
/// LXD's words, in whatever letters.
const BOOL: &str =
    "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy][Ee][Ss]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff]|[01])$";
const BYTE: &str = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";

/// Numbers and bools may be written with or without quotes; null unsets.
pub fn value(value: ValueType) -> Value {
    match value {
        ValueType::Bool => json!({
            "type": ["boolean", "string", "integer", "null"], "pattern": BOOL, "minimum": 0, "maximum": 1,
        }),
        ValueType::Integer { min, max } => integer(min, max),
        ValueType::Choice(words) => {
            let words: Vec<Value> = words.iter().map(|word| json!(word)).chain([Value::Null]).collect();
            json!({ "enum": words })
        }
        ValueType::Text => json!({"type": ["string", "integer", "boolean", "null"]}),
        ValueType::Cpus => number(1, cpus()),
        ValueType::CpuAllowance => text(format!("^({PERCENT}|{})$", quota())),
        ValueType::Memory => number(1, format!("^ *({PERCENT}|{POSITIVE} *{UNITS} *)$")),
        ValueType::Rlimit => number(0, "^([0-9]+|unlimited)(:([0-9]+|unlimited))?$".to_owned()),
        ValueType::RawIdmap => text(id_maps()),
        ValueType::Mac => json!({
            "type": ["string", "null"],
            // The first pair is even: a multicast address is nobody's.
            "pattern": "^[0-9A-Fa-f][02468ACEace]([:-][0-9A-Fa-f]{2}){5}$",
            "not": {"type": "string", "pattern": "^00([:-]00){5}$"},
        }),
        ValueType::Interface => names::interface(),
        ValueType::Ipv4 => text(format!("^(none|{})$", ipv4())),
        ValueType::Ipv6 => text(format!("^(none|{})$", ipv6())),
        ValueType::Ipv4Net => text(format!("^(none|{}/([89]|[12][0-9]|30))$", ipv4())),
        ValueType::Ipv6Net => text(format!("^(none|{}/(1[6-9]|[2-9][0-9]|1[01][0-9]|12[0-6]))$", ipv6())),
        ValueType::Ipv4Nets => text(list(&format!("{}/([12]?[0-9]|3[0-2])", ipv4()))),
        ValueType::Ipv6Nets => text(list(&format!("{}/([1-9]?[0-9]|1[01][0-9]|12[0-8])", ipv6()))),
        ValueType::InsidePath => json!({
            "type": ["string", "null"], "pattern": "^/", "not": {"type": "string", "pattern": r"/\.\.(/|$)"},
        }),
        ValueType::HostPath => json!({"type": ["string", "integer", "boolean", "null"], "minLength": 1}),
        ValueType::ObjectName => names::object_as_config(),
    }
}

fn text(pattern: String) -> Value {
    json!({"type": ["string", "null"], "pattern": pattern})
}

fn number(min: i64, pattern: String) -> Value {
    json!({"type": ["integer", "string", "null"], "minimum": min, "pattern": pattern})
}

fn integer(min: i64, max: i64) -> Value {
    let mut schema = number(min, "^[+-]?[0-9]+$".to_owned());
    if max != i64::MAX {
        schema["maximum"] = json!(max);
    }
    schema
}

/// A count, or a set: a number alone is none.
fn cpus() -> String {
    let item = " *[0-9]+(-[0-9]+)? *";
    format!("^ *({POSITIVE}|[0-9]+-[0-9]+|{item}(,{item})+) *$")
}

/// The kernel takes periods of 1 ms to 1 s.
fn quota() -> &'static str {
    " *0*([1-9][0-9]{0,5}|1000000) *ms */ *0*([1-9][0-9]{0,2}|1000) *ms *"
}

fn id_maps() -> String {
    let ids = "[0-9]+(-[0-9]+)?";
    format!(r"^(\s*(both|uid|gid)[ \t]+{ids}[ \t]+{ids}[ \t]*(\n|$))+\s*$")
}

fn list(item: &str) -> String {
    format!("^ *{item} *(, *{item} *)*$")
}

fn ipv4() -> String {
    format!(r"{BYTE}(\.{BYTE}){{3}}")
}

/// Eight groups, where `::` stands for one or more of them and an IPv4 address for the last two (RFC 4291, 2.2).
fn ipv6() -> String {
    let group = "[0-9A-Fa-f]{1,4}";
    let mut forms = vec![format!("({group}:){{7}}{group}"), format!("({group}:){{1,7}}:"), "::".to_owned()];
    forms.push(format!(":(:{group}){{1,7}}"));
    forms.extend((1..=6).map(|before| {
        let after = 7 - before;
        format!("({group}:){{{before}}}(:{group}){{1,{after}}}")
    }));
    let last = ipv4();
    forms.push(format!("({group}:){{6}}{last}"));
    forms.push(format!("::({group}:){{0,5}}{last}"));
    forms.extend((1..=5).map(|before| {
        let after = 5 - before;
        format!("({group}:){{{before}}}:({group}:){{0,{after}}}{last}")
    }));
    format!("({})", forms.join("|"))
}
