//! `schema`: JSON Schema of manifests, for editors.

use super::exit::Exit;
use super::failure::Usage;
use super::session::Session;
use crate::model::key::Kind;
use crate::spec::document::is_later_kind;
use crate::spec::schema;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A kind: Container, network … [default: all]
    #[arg(value_name = "KIND")]
    kind: Option<String>,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let file = match &args.kind {
        None => "manifest.json".to_owned(),
        Some(word) => format!("{}.json", Kind::from_word(word).ok_or_else(|| no_kind(word))?.slug()),
    };
    let (_, text) = schema::all()
        .into_iter()
        .find(|(name, _)| *name == file)
        .ok_or_else(|| anyhow::anyhow!("there is no schema {file}"))?;
    session.out.raw(text.as_bytes())?;
    Ok(Exit::Done)
}

fn no_kind(word: &str) -> Usage {
    if is_later_kind(word) {
        return Usage(format!("kind `{word}` is not supported yet"));
    }
    let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    Usage(format!("`{word}` is no kind; kinds are {}", names.join(", ")))
}
