//! `explain`: what a field means. Needs no host and no manifests.

use super::exit::Exit;
use super::session::Session;
use crate::api::error::{Failure, FailureKind};
use crate::api::types::OUTPUT_VERSION;
use crate::reconcile::diff::field::class_of;
use crate::reconcile::render::class_word;
use crate::spec::explain::{Documentation, Supported, explain};
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A kind, a field or a config key: container, container.spec.config.limits.memory, limits.memory, disk.readonly
    #[arg(value_name = "FIELD")]
    field: String,
}

#[derive(Serialize)]
struct ExplainJson<'a> {
    version: u32,
    fields: &'a [Documentation],
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let mut fields = explain(&args.field).map_err(|help| {
        Failure::new(FailureKind::NotFound, format!("there is no field `{}`; {help}", args.field))
    })?;
    for documentation in fields.iter_mut().filter(|documentation| documentation.class.is_none()) {
        let below = documentation.field.strip_prefix("container.spec.");
        documentation.class =
            below.filter(|_| documentation.support == Supported::Supported).and_then(class_of);
    }
    session.out.text(&fields.iter().map(text).collect::<Vec<_>>().join("\n"))?;
    session.out.json(&ExplainJson { version: OUTPUT_VERSION, fields: &fields })?;
    Ok(Exit::Done)
}

fn text(documentation: &Documentation) -> String {
    let mut lines = vec![documentation.field.clone()];
    if !documentation.about.is_empty() {
        lines.push(format!("    {}", documentation.about));
    }
    let mut line = |name: &str, words: &str| lines.push(format!("    {name:<9}  {words}"));
    match (documentation.support, &documentation.reason) {
        (Supported::Supported, _) => {}
        (Supported::NotYet, _) => line("supported", "not yet: a manifest that has it is refused"),
        (Supported::Never, reason) => {
            line("supported", &format!("no: {}", reason.as_deref().unwrap_or("it is refused")));
        }
    }
    if !documentation.value_type.is_empty() {
        line("type", &documentation.value_type);
    }
    if let Some(default) = &documentation.default {
        line("default", default);
    }
    if let Some(class) = documentation.class {
        line("change", class_word(class));
    }
    if !documentation.fields.is_empty() {
        let width = documentation.fields.iter().map(|field| field.name.len()).max().unwrap_or_default();
        line("fields", "");
        for field in &documentation.fields {
            lines.push(format!("      {:<width$}  {}", field.name, field.about).trim_end().to_owned());
        }
    }
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n") + "\n"
}
