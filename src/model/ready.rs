//! When a started container counts as ready.

use super::time_span::TimeSpan;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU16;

/// A container's `ready`; written and shown as manifests have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
pub struct Ready {
    pub probe: ReadyProbe,
    /// How long apply waits.
    pub timeout: TimeSpan,
    /// Between two tries.
    pub interval: TimeSpan,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ReadyProbe {
    /// Its init runs.
    #[default]
    Alive,
    /// `systemctl is-system-running` says running or degraded.
    Systemd,
    /// A command inside ends with status 0.
    Exec(Vec<String>),
    /// A port inside takes a connection.
    Tcp(NonZeroU16),
    /// A GET inside is answered with a status from 200 to 399.
    Http(HttpProbe),
}

/// What is asked of a web service inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpProbe {
    pub port: NonZeroU16,
    /// Begins with `/`; as it stands in the request.
    pub path: String,
}

impl HttpProbe {
    /// The path of a probe that names none.
    pub const ROOT: &str = "/";
}

impl Default for Ready {
    fn default() -> Ready {
        Ready {
            probe: ReadyProbe::Alive,
            timeout: TimeSpan::of_milliseconds(60_000),
            interval: TimeSpan::of_milliseconds(250),
        }
    }
}

/// `{alive: true, timeout: 1m, interval: 250ms}`: one of the probes, and the times.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alive: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    systemd: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exec: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tcp: Option<NonZeroU16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http: Option<HttpProbe>,
    timeout: TimeSpan,
    interval: TimeSpan,
}

impl From<Ready> for Written {
    fn from(ready: Ready) -> Written {
        let Ready { probe, timeout, interval } = ready;
        let none =
            Written { alive: None, systemd: None, exec: None, tcp: None, http: None, timeout, interval };
        match probe {
            ReadyProbe::Alive => Written { alive: Some(true), ..none },
            ReadyProbe::Systemd => Written { systemd: Some(true), ..none },
            ReadyProbe::Exec(command) => Written { exec: Some(command), ..none },
            ReadyProbe::Tcp(port) => Written { tcp: Some(port), ..none },
            ReadyProbe::Http(http) => Written { http: Some(http), ..none },
        }
    }
}

impl TryFrom<Written> for Ready {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Ready, &'static str> {
        let Written { alive, systemd, exec, tcp, http, timeout, interval } = written;
        let probe = match (alive, systemd, exec, tcp, http) {
            (Some(true), None, None, None, None) => ReadyProbe::Alive,
            (None, Some(true), None, None, None) => ReadyProbe::Systemd,
            (None, None, Some(command), None, None) => ReadyProbe::Exec(command),
            (None, None, None, Some(port), None) => ReadyProbe::Tcp(port),
            (None, None, None, None, Some(http)) => ReadyProbe::Http(http),
            _ => return Err("ready has exactly one probe: alive: true, systemd: true, exec, tcp or http"),
        };
        Ok(Ready { probe, timeout, interval })
    }
}
