//! When a container is ready: `ready`.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

pub fn ready(_: &mut SchemaGenerator) -> Schema {
    let time = |about: &str, default: &str| json!({"description": about, "type": "string", "pattern": "^[1-9][0-9]*(ms|s|m|h|d)$", "default": default});
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
    })
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
