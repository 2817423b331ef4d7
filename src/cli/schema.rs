//! `schema`: JSON Schema of manifests, for editors.

use super::exit::Exit;
use super::failure::Usage;
use super::session::Session;
use crate::model::key::Kind;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A kind: Container, network … [default: all]
    #[arg(value_name = "KIND")]
    kind: Option<String>,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let kinds = match &args.kind {
        None => Kind::ALL.to_vec(),
        Some(word) => vec![Kind::from_word(word).ok_or_else(|| no_kind(word))?],
    };
    let _ = (session, kinds);
    anyhow::bail!("there are no schemas yet")
}

fn no_kind(word: &str) -> Usage {
    let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    Usage(format!("`{word}` is no kind; kinds are {}", names.join(", ")))
}
