//! When a started container counts as ready.

use super::time_span::TimeSpan;
use serde::{Deserialize, Serialize};

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
    timeout: TimeSpan,
    interval: TimeSpan,
}

impl From<Ready> for Written {
    fn from(ready: Ready) -> Written {
        let Ready { probe, timeout, interval } = ready;
        let none = Written { alive: None, systemd: None, exec: None, timeout, interval };
        match probe {
            ReadyProbe::Alive => Written { alive: Some(true), ..none },
            ReadyProbe::Systemd => Written { systemd: Some(true), ..none },
            ReadyProbe::Exec(command) => Written { exec: Some(command), ..none },
        }
    }
}

impl TryFrom<Written> for Ready {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Ready, &'static str> {
        let Written { alive, systemd, exec, timeout, interval } = written;
        let probe = match (alive, systemd, exec) {
            (Some(true), None, None) => ReadyProbe::Alive,
            (None, Some(true), None) => ReadyProbe::Systemd,
            (None, None, Some(command)) => ReadyProbe::Exec(command),
            _ => return Err("ready has exactly one probe: alive: true, systemd: true or exec"),
        };
        Ok(Ready { probe, timeout, interval })
    }
}
