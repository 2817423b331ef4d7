//! `--only`: keys, and patterns of keys.

use super::key::parse_key;
use crate::api::types::KeyPattern;
use crate::model::key::{Key, KeyError};
use std::collections::BTreeSet;

/// Which part of a load is planned.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct OnlyArgs {
    /// Only these objects, and what they need; `*` and `?` stand for letters; nothing is pruned
    #[arg(long, value_name = "KEY", value_parser = parse, value_delimiter = ',')]
    only: Vec<Only>,
}

#[derive(Debug, Clone)]
enum Only {
    Key(Key),
    Like(KeyPattern),
}

fn parse(text: &str) -> Result<Only, KeyError> {
    if !text.contains(['*', '?']) {
        return parse_key(text).map(Only::Key);
    }
    // A bare name is a container's, in a pattern too.
    let whole = if text.contains('/') { text.to_owned() } else { format!("container/{text}") };
    Ok(Only::Like(KeyPattern(whole)))
}

impl OnlyArgs {
    pub fn keys(&self) -> BTreeSet<Key> {
        let key = |only: &Only| match only {
            Only::Key(key) => Some(key.clone()),
            Only::Like(_) => None,
        };
        self.only.iter().filter_map(key).collect()
    }

    pub fn patterns(&self) -> BTreeSet<KeyPattern> {
        let pattern = |only: &Only| match only {
            Only::Key(_) => None,
            Only::Like(pattern) => Some(pattern.clone()),
        };
        self.only.iter().filter_map(pattern).collect()
    }
}
