//! What travels between a command and whoever carries it out, in this process or over the socket.

mod inside;
mod listing;
mod plan;
mod provenance;
mod status;

pub use inside::{ExecRequest, InsideEvent, InsideOrder};
pub use listing::{
    Address, Condition, ContainerStatus, DaemonStatus, Description, FieldStatus, FollowStatus, HoldListing,
    HoldStatus, Listing, ObjectStatus,
};
pub use plan::{
    ApplyEvent, ApplyRequest, Approval, GoalRequest, HoldUntil, KeyPattern, ManifestFile, Manifests,
    PlanRequest, ProgressLine, ProgressWord, StopWish,
};
pub use provenance::{Export, ExportRequest, FileRequest, FileText, WhyRequest};
pub use status::{ContainerCounts, DriftStatus, HostStatus, OwnerStatus, ParkedStatus};

/// The version of every JSON that commands print, plans and reports (which have their own) aside.
pub const OUTPUT_VERSION: u32 = 1;
