//! PURE. A network's nftables table as JSON for `nft -j` (libnftables-json(5)), and a comparison with what is there.

use ipnet::IpNet;
use serde_json::{Value, json};

/// What a network's table should hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSpec {
    /// The table's name; ours alone, and made of letters, digits, `_`, `-`, `.`.
    pub table: String,
    pub bridge: String,
    /// Subnets whose traffic to elsewhere leaves under the host's address.
    pub masquerade: Vec<IpNet>,
}

/// Family `inet`: one table serves IPv4 and IPv6.
const FAMILY: &str = "inet";

/// One transaction that leaves exactly the wanted table.
pub fn replace(spec: &TableSpec) -> Value {
    transaction(made_anew(spec))
}

/// One transaction that leaves exactly the wanted table, and not the former one.
pub fn rename(from: &TableSpec, to: &TableSpec) -> Value {
    transaction([gone(&from.table).to_vec(), made_anew(to)].concat())
}

/// One transaction that leaves no such table, whether there is one or not.
pub fn remove(table_name: &str) -> Value {
    transaction(gone(table_name).to_vec())
}

fn transaction(commands: Vec<Value>) -> Value {
    json!({ "nftables": commands })
}

fn made_anew(spec: &TableSpec) -> Vec<Value> {
    let made = content(spec).into_iter().map(add);
    gone(&spec.table).into_iter().chain([add(table(&spec.table))]).chain(made).collect()
}

/// Added first, so that the deletion cannot fail.
fn gone(table_name: &str) -> [Value; 2] {
    [add(table(table_name)), delete(table_name)]
}

/// How the table that `nft -j list table` shows differs from the wanted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Chains and rules as wanted, in order.
    None,
    /// The table is there without any chain or rule (`nft flush` leaves chains: that is `Changed`).
    Empty,
    Changed {
        missing: usize,
        surplus: usize,
    },
}

/// Compares the listing with the wanted table, without handles and other numbers that the kernel gives.
pub fn difference(spec: &TableSpec, listing: &Value) -> Difference {
    let wanted = normalised(content(spec));
    let found = normalised(listing["nftables"].as_array().cloned().unwrap_or_default());
    if wanted == found {
        return Difference::None;
    }
    if found.is_empty() {
        return Difference::Empty;
    }
    let missing = wanted.iter().filter(|item| !found.contains(item)).count();
    let surplus = found.iter().filter(|item| !wanted.contains(item)).count();
    Difference::Changed { missing, surplus }
}

fn add(object: Value) -> Value {
    json!({ "add": object })
}

fn delete(name: &str) -> Value {
    json!({ "delete": table(name) })
}

fn table(name: &str) -> Value {
    json!({ "table": { "family": FAMILY, "name": name } })
}

/// Chains, then rules.
fn content(spec: &TableSpec) -> Vec<Value> {
    let mut objects = vec![
        chain(spec, "forward", ("filter", "forward", 0)),
        chain(spec, "postrouting", ("nat", "postrouting", 100)),
    ];
    for direction in ["iifname", "oifname"] {
        let matched = equal(json!({ "meta": { "key": direction } }), "==", json!(spec.bridge));
        objects.push(rule(spec, "forward", vec![matched, json!({ "accept": null })]));
    }
    for subnet in &spec.masquerade {
        let from = equal(field(*subnet, "saddr"), "==", prefix(*subnet));
        let elsewhere = equal(field(*subnet, "daddr"), "!=", prefix(*subnet));
        objects.push(rule(spec, "postrouting", vec![from, elsewhere, json!({ "masquerade": null })]));
    }
    objects
}

fn chain(spec: &TableSpec, name: &str, (kind, hook, priority): (&str, &str, i32)) -> Value {
    json!({ "chain": {
        "family": FAMILY, "table": spec.table, "name": name,
        "type": kind, "hook": hook, "prio": priority, "policy": "accept",
    } })
}

fn rule(spec: &TableSpec, chain: &str, expressions: Vec<Value>) -> Value {
    json!({ "rule": { "family": FAMILY, "table": spec.table, "chain": chain, "expr": expressions } })
}

fn equal(left: Value, operator: &str, right: Value) -> Value {
    json!({ "match": { "op": operator, "left": left, "right": right } })
}

fn field(subnet: IpNet, name: &str) -> Value {
    let protocol = if matches!(subnet, IpNet::V4(_)) { "ip" } else { "ip6" };
    json!({ "payload": { "protocol": protocol, "field": name } })
}

fn prefix(subnet: IpNet) -> Value {
    json!({ "prefix": { "addr": subnet.network().to_string(), "len": subnet.prefix_len() } })
}

/// Chains by name, then rules by chain in their order; each as text with its keys sorted.
fn normalised(objects: Vec<Value>) -> Vec<String> {
    let mut chains = Vec::new();
    let mut rules = Vec::new();
    for mut object in objects {
        for kind in ["chain", "rule"] {
            if let Some(fields) = object.get_mut(kind).and_then(Value::as_object_mut) {
                fields.remove("handle");
                let place = if kind == "chain" { "name" } else { "chain" };
                let place = fields.get(place).and_then(Value::as_str).unwrap_or_default().to_owned();
                let list = if kind == "chain" { &mut chains } else { &mut rules };
                list.push((place, canonical(&object).to_string()));
            }
        }
    }
    chains.sort();
    rules.sort_by(|left, right| left.0.cmp(&right.0));
    chains.into_iter().chain(rules).map(|(_, text)| text).collect()
}

fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            Value::Object(sorted.into_iter().map(|(name, value)| (name.clone(), canonical(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> TableSpec {
        TableSpec {
            table: "bayplan_ab12_bay0".into(),
            bridge: "bay0".into(),
            masquerade: vec!["10.66.0.1/24".parse().unwrap(), "fd42::1/64".parse().unwrap()],
        }
    }

    #[test]
    fn a_replacement_is_one_transaction() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&replace(&spec())).unwrap());
    }

    #[test]
    fn a_removal_cannot_fail_for_want_of_the_table() {
        assert_eq!(
            remove("t").to_string(),
            r#"{"nftables":[{"add":{"table":{"family":"inet","name":"t"}}},{"delete":{"table":{"family":"inet","name":"t"}}}]}"#
        );
    }

    #[test]
    fn handles_and_the_order_of_keys_make_no_difference_and_a_lost_rule_does() {
        let mut listing = vec![json!({"metainfo": {"version": "1.0.6"}}), table("bayplan_ab12_bay0")];
        for (index, mut object) in content(&spec()).into_iter().enumerate() {
            let kind = if object.get("chain").is_some() { "chain" } else { "rule" };
            object[kind]["handle"] = json!(index);
            listing.push(object);
        }
        assert_eq!(difference(&spec(), &json!({ "nftables": listing })), Difference::None);
        listing.pop();
        let lost = difference(&spec(), &json!({ "nftables": listing }));
        assert_eq!(lost, Difference::Changed { missing: 1, surplus: 0 });
        assert_eq!(difference(&spec(), &json!({ "nftables": [] })), Difference::Empty);
    }
}
