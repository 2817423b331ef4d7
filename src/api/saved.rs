//! A plan in a file: what it was made from, what it does, and the seal that finds out what was changed since. PURE.
//!
//! The seal is no signature: whoever can write the file can have it sealed anew. Who may write it may do to the host
//! what manifests may.

use super::types::{Approval, Manifests, PlanRequest};
use crate::model::key::Key;
use crate::reconcile::goal::DeletionApproval;
use crate::reconcile::imprint::Imprint;
use crate::reconcile::plan::Plan;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The version of the file's form; another one is refused.
pub const SAVED_PLAN_VERSION: u32 = 1;

/// What the file says it is.
const KIND: &str = "SavedPlan";

/// A plan that waits to be carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedPlan {
    pub kind: String,
    pub version: u32,
    /// The program that made it: another version may plan otherwise.
    pub bayplan: String,
    /// What was asked, with the manifests' texts.
    pub request: PlanRequest,
    pub basis: Basis,
    pub plan: Plan,
}

/// What a saved plan stands on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Basis {
    pub at: Timestamp,
    /// Where the uuids of new objects came from.
    pub seed: [u8; 16],
    pub home: Home,
    /// Of the look at the host: one hash, and what it is made of.
    pub observed: String,
    pub imprint: Imprint,
    /// What was approved when it was made, and who asked.
    pub approval: Approval,
    pub deletions: DeletionApproval,
    pub actor: String,
    /// Digest of the plan, and of each object's steps.
    pub plan: String,
    pub objects: BTreeMap<Key, String>,
}

/// The one Bayplan that a plan is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Home {
    pub machine_id: String,
    pub hostname: String,
    pub driver: String,
    /// The state folder's real path.
    pub state: PathBuf,
}

/// Why a file is no plan that can be carried out here.
#[derive(Debug, thiserror::Error)]
pub enum SavedPlanError {
    #[error("it is no saved plan; `bayplan plan --out FILE` makes one")]
    NoPlan,
    #[error(
        "it is a saved plan of version {found}, this bayplan reads version {SAVED_PLAN_VERSION}; make the plan anew"
    )]
    Version { found: u64 },
    #[error("it was made by bayplan {found}, this is {}; make the plan anew", env!("CARGO_PKG_VERSION"))]
    Program { found: String },
    #[error("it was changed since it was saved; make the plan anew")]
    Changed,
}

impl SavedPlan {
    pub fn new(request: PlanRequest, basis: Basis, plan: Plan) -> SavedPlan {
        SavedPlan {
            kind: KIND.to_owned(),
            version: SAVED_PLAN_VERSION,
            bayplan: env!("CARGO_PKG_VERSION").to_owned(),
            request,
            basis,
            plan,
        }
    }

    /// The texts that it was made from.
    pub fn manifests(&self) -> Manifests {
        self.request.goal.manifests().cloned().unwrap_or_default()
    }

    /// The file's text.
    pub fn seal(&self) -> serde_json::Result<String> {
        let mut value = serde_json::to_value(self)?;
        let seal = seal(&value);
        if let Value::Object(fields) = &mut value {
            fields.insert("seal".to_owned(), Value::String(seal));
        }
        Ok(serde_json::to_string(&value)? + "\n")
    }

    /// Reads what [`SavedPlan::seal`] wrote.
    pub fn open(text: &str) -> Result<SavedPlan, SavedPlanError> {
        let mut value: Value = serde_json::from_str(text).map_err(|_| SavedPlanError::NoPlan)?;
        if value["kind"] != KIND {
            return Err(SavedPlanError::NoPlan);
        }
        let found = value["version"].as_u64().ok_or(SavedPlanError::NoPlan)?;
        if found != u64::from(SAVED_PLAN_VERSION) {
            return Err(SavedPlanError::Version { found });
        }
        if value["bayplan"] != env!("CARGO_PKG_VERSION") {
            let found = value["bayplan"].as_str().unwrap_or_default().to_owned();
            return Err(SavedPlanError::Program { found });
        }
        let written = value.as_object_mut().and_then(|fields| fields.shift_remove("seal"));
        if written != Some(Value::String(seal(&value))) {
            return Err(SavedPlanError::Changed);
        }
        let saved: SavedPlan = serde_json::from_value(value).map_err(|_| SavedPlanError::Changed)?;
        // What is shown must be what will be done, also where somebody renewed the seal.
        match exact_digest(&saved.plan) {
            Ok(digest) if digest == saved.basis.plan => Ok(saved),
            _ => Err(SavedPlanError::Changed),
        }
    }
}

fn seal(value: &Value) -> String {
    hex::encode(Sha256::digest(value.to_string()))
}

/// SHA-256 of the JSON of a plan, or of steps: equal for those that are the same in everything.
pub fn exact_digest(of: &impl Serialize) -> serde_json::Result<String> {
    Ok(hex::encode(Sha256::digest(serde_json::to_vec(of)?)))
}
