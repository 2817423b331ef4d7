//! When a container is ready: `ready`.

use super::policies::TIME_SPAN;
use crate::spec::document::ready::PROBES;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

pub fn ready(_: &mut SchemaGenerator) -> Schema {
    let time = |about: &str, default: &str| json!({"description": about, "type": "string", "pattern": TIME_SPAN, "default": default});
    json_schema!({
        "description": "When a started container counts as ready; apply waits for it.",
        "type": "object",
        "properties": {
            "alive": {"description": "Its init runs (the default).", "const": true},
            "systemd": {"description": "systemd inside says running or degraded.", "const": true},
            "exec": {
                "description": "A command inside ends with status 0.",
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
            },
            "tcp": port("A port inside takes a connection."),
            "http": http(),
            "timeout": time("How long apply waits.", "1m"),
            "interval": time("Between two tries.", "250ms"),
        },
        "additionalProperties": false,
        "dependentSchemas": alone(),
    })
}

/// Each probe is the only one.
fn alone() -> Map<String, Value> {
    let others = |probe: &str| -> Map<String, Value> {
        let others = PROBES.into_iter().filter(|other| *other != probe);
        others.map(|other| (other.to_owned(), json!(false))).collect()
    };
    PROBES.into_iter().map(|probe| (probe.to_owned(), json!({"properties": others(probe)}))).collect()
}

fn port(about: &str) -> Value {
    json!({"description": about, "type": "integer", "minimum": 1, "maximum": 65535})
}

fn http() -> Value {
    json!({
        "description": "A GET inside is answered with a status from 200 to 399: the port, or port and path.",
        "oneOf": [
            port("The port; the path is `/`."),
            {
                "type": "object",
                "properties": {
                    "port": port("The port that is asked."),
                    "path": {
                        "description": "What is asked for, with its query.",
                        "type": "string",
                        "pattern": "^/[!\"$-~]*$",
                        "default": "/",
                    },
                },
                "required": ["port"],
                "additionalProperties": false,
            },
        ],
    })
}
