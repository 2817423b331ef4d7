//! One pass from what is wanted to a host that has it.
//!
//! ```text
//!  Desired ──┐
//!            ├─► world ─► join ─► check ─► diff (per object) ─► graph ─► Plan ─► apply ─► Report
//!  Observed ─┘   └────────────────────── pure ──────────────────────────┘        └ effect ┘
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `goal` | what a plan is for: a site, healing, or a verb |
//! | `world` | goal ⊕ records ⊕ overrides: the objects as they should be, and who may change them |
//! | `verbs`, `needs` | what a verb wants of recorded containers; what objects need, and `--only` |
//! | `deletions` | what is to go because it was asked for; what protects from it |
//! | `prune`, `candidates`, `users`, `intent` | what a site no longer declares: how it goes, who needs it, what stops it |
//! | `parking`, `undelete` | parked objects: their time is over, or they come back |
//! | `rename` | objects that have another name now |
//! | `ownership`, `external` | one owner a key; objects that must be there |
//! | `ignore`, `unmanaged` | what is left alone in a container; containers that no site has |
//! | `sets` | how many members each set had and is to have |
//! | `join` | records and host facts side by side |
//! | `identity`, `identities`, `spans`, `realize` | what the planner chooses: ids, addresses; container → run |
//! | `contents` | which contents of files and secrets a plan needs to know |
//! | `check`, `addresses` | findings that need the host |
//! | `follow` | containers that restart with another |
//! | `diff/` | one file a kind: differences → steps of one object |
//! | `graph`, `rollout`, `unready`, `assemble` | the objects' order, the turns of restarts, who is waited for, the steps' numbers |
//! | `plan`, `drift`, `render` | the plan, its drift rows, its text and JSON |
//! | `imprint` | what a plan found on the host, as digests: whether the host has moved |
//! | `apply`, `report` | carrying a plan out |
//! | `dropped`, `rollback` | what a replace takes along; what is taken back when it failed |
//! | `why/` | one object explained: lines, layers, what the host has, what is planned |
//! | `near` | which steps are right on a look at a part of the host |
//! | `queue`, `controller` | when to look again |

pub mod addresses;
pub mod apply;
pub mod assemble;
pub mod candidates;
pub mod chain;
pub mod check;
pub mod contents;
pub mod controller;
pub mod deletions;
pub mod diff;
pub mod drift;
pub mod dropped;
pub mod external;
pub mod follow;
pub mod goal;
pub mod graph;
pub mod identities;
pub mod identity;
pub mod ignore;
pub mod imprint;
pub mod intent;
pub mod join;
pub mod near;
pub mod needs;
pub mod ownership;
pub mod parking;
pub mod plan;
pub mod prune;
pub mod queue;
pub mod realize;
pub mod rename;
pub mod render;
pub mod report;
pub mod rollback;
pub mod rollout;
pub mod sets;
pub mod spans;
pub mod undelete;
pub mod unmanaged;
pub mod unready;
pub mod users;
pub mod verbs;
pub mod why;
pub mod world;

use crate::driver::{Driver, Scope};
use crate::model::observed::Observed;
use apply::ApplyOptions;
use goal::{Goal, PlanOptions};
use plan::Plan;
use report::Report;

/// Why a pass ended before its first step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot observe the host")]
    Observe(#[source] crate::driver::Error),
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// A guard stops the whole apply.
    #[error("{guards}; nothing was changed")]
    Guarded { guards: String },
}

/// The guards of a plan that stop it before its first step.
pub fn refuse_guarded(plan: &Plan) -> Result<(), Error> {
    if plan.guards.is_empty() {
        return Ok(());
    }
    let guards: Vec<String> = plan.guards.iter().map(intent::Guard::words).collect();
    Err(Error::Guarded { guards: guards.join("; ") })
}

/// Looks at the host and says what would be done; changes nothing.
pub fn propose(driver: &dyn Driver, goal: &Goal<'_>, options: &PlanOptions) -> Result<Plan, Error> {
    let observed = driver.observe(&Scope::All).map_err(Error::Observe)?;
    let plan = plan_on(driver, goal, &observed, options)?;
    with_dropped(driver, plan, &observed)
}

/// The plan for a host that was looked at; the driver is asked only for the digests of contents.
pub fn plan_on(
    driver: &dyn Driver,
    goal: &Goal<'_>,
    observed: &Observed,
    options: &PlanOptions,
) -> Result<Plan, Error> {
    let options = looked_up(driver, goal, observed, options.clone()).map_err(Error::Observe)?;
    Ok(plan::plan(goal, observed, &options)?)
}

/// The plan with what its replaces would take along.
pub fn with_dropped(driver: &dyn Driver, plan: Plan, observed: &Observed) -> Result<Plan, Error> {
    let queries = dropped::queries(&plan, observed);
    if queries.is_empty() {
        return Ok(plan);
    }
    let dropped = driver.dropped(&queries).map_err(Error::Observe)?;
    Ok(Plan { dropped, ..plan })
}

/// The options with what the contents of a goal are now; where `only` is not empty, of those objects and what they need.
pub fn looked_up(
    driver: &dyn Driver,
    goal: &Goal<'_>,
    observed: &Observed,
    options: PlanOptions,
) -> Result<PlanOptions, crate::driver::Error> {
    let contents = driver.digests(&contents::wanted(goal, observed, &options.only))?;
    let image_contents = driver.image_contents(&contents::image_sources(goal, observed))?;
    Ok(PlanOptions { contents, image_contents, ..options })
}

/// One pass: looks, plans and carries out.
pub fn reconcile(
    driver: &dyn Driver,
    goal: &Goal<'_>,
    options: &PlanOptions,
    apply_options: &ApplyOptions<'_>,
) -> Result<(Plan, Report), Error> {
    let plan = propose(driver, goal, options)?;
    refuse_guarded(&plan)?;
    let report = apply::apply(driver, &plan, apply_options);
    Ok((plan, report))
}
