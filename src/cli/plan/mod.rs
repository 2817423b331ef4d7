//! `plan`: what apply would do; it has no way to write. `watch` makes it again and again.

mod watch;

use crate::api::types::{GoalRequest, PlanRequest};
use crate::cli::allow::Allow;
use crate::cli::change::SHOWN;
use crate::cli::connection::Connection;
use crate::cli::exit::Exit;
use crate::cli::manifests::{FromArgs, Shown};
use crate::cli::only::OnlyArgs;
use crate::cli::output::complain;
use crate::cli::saved_plan;
use crate::cli::session::Session;
use crate::model::object::Unmanaged;
use crate::model::step::Cause;
use crate::reconcile::plan::Plan;
use crate::reconcile::render;
use crate::reconcile::render::outline;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    from: FromArgs,
    #[command(flatten)]
    only: OnlyArgs,
    /// Plan as if this were approved: restart, replace, delete, delete=N
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    allow: Vec<Allow>,
    /// Plan to take objects from the site that owns them
    #[arg(long)]
    take_ownership: bool,
    /// Save the plan, too: `apply --plan FILE` carries it out, while the host is as it is now
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show a saved plan; neither manifests nor the host are looked at
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "only", "allow", "take_ownership", "out"])]
    plan: Option<PathBuf>,
    /// What counts as exit code 2 [default: drift,changes]
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    fail_on: Vec<FailOn>,
    /// Stay, and show the plan again whenever the manifests change or the host does, until Ctrl-C
    #[arg(long, conflicts_with_all = ["out", "plan", "fail_on"])]
    watch: bool,
}

/// What `--fail-on` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// The host differs from what was applied
    Drift,
    /// The manifests differ from what was applied
    Changes,
    /// Something waits for approval
    Pending,
    /// Containers on the host that no site owns
    Unmanaged,
}

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    if args.watch {
        return watch::run(session, args);
    }
    let (plan, shown) = match &args.plan {
        Some(file) => {
            let saved = saved_plan::read(file)?;
            let shown = Shown { texts: saved.manifests().texts() };
            (saved.plan, shown)
        }
        None => make(session, args)?,
    };
    show(session, &plan, &shown)?;
    if args.fail_on.contains(&FailOn::Unmanaged) && plan.unmanaged_policy == Unmanaged::Ignore {
        // What the exit code is about is told, whatever the site says.
        session.out.text(&render::unmanaged_lines(&plan.unmanaged))?;
    }
    session.out.outline(|| outline::plan(&plan))?;
    Ok(exit(&plan, &args.fail_on))
}

fn show(session: &Session, plan: &Plan, shown: &Shown) -> anyhow::Result<()> {
    if !plan.warnings.is_empty() {
        complain(&shown.render(&plan.warnings));
    }
    session.out.text(&render::plan_text(plan, SHOWN))?;
    session.out.json(&render::plan_json(plan))
}

fn request(session: &Session, args: &Args, shown: &Shown) -> PlanRequest {
    PlanRequest {
        only: args.only.keys(),
        only_like: args.only.patterns(),
        approval: Allow::approval(&args.allow),
        deletions: Allow::deletions(&args.allow),
        take_ownership: args.take_ownership,
        ..PlanRequest::new(GoalRequest::Site(shown.manifests()), session.actor("plan"))
    }
}

fn make(session: &Session, args: &Args) -> anyhow::Result<(Plan, Shown)> {
    let shown = args.from.read()?;
    let request = request(session, args, &shown);
    let connection = Connection::reader(session)?;
    let plan = match &args.out {
        None => connection.plan(&request).map_err(|failure| shown.tell(failure))?,
        Some(file) => {
            let saved = connection.save(&request).map_err(|failure| shown.tell(failure))?;
            saved_plan::write(file, &saved)?;
            let path = file.display();
            session.out.progress(&format!("saved; `bayplan apply --plan {path}` carries it out"));
            saved.plan
        }
    };
    Ok((plan, shown))
}

fn exit(plan: &Plan, fail_on: &[FailOn]) -> Exit {
    let counts = match fail_on {
        [] => plan.exit_code() != 0,
        words => words.iter().any(|word| holds(plan, *word)),
    };
    if counts { Exit::Changes } else { Exit::Done }
}

fn holds(plan: &Plan, word: FailOn) -> bool {
    let mut causes = plan.steps.iter().flat_map(|step| &step.reasons).map(|reason| reason.cause);
    match word {
        FailOn::Drift => {
            !plan.broken.is_empty()
                || causes.any(|cause| matches!(cause, Cause::Drift | Cause::ChangeAndDrift))
        }
        FailOn::Changes => causes.any(|cause| matches!(cause, Cause::Change | Cause::ChangeAndDrift)),
        FailOn::Pending => !plan.pending.is_empty(),
        FailOn::Unmanaged => !plan.unmanaged.is_empty(),
    }
}
