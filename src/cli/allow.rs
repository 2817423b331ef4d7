//! `--allow`: what is approved beforehand.

use crate::api::types::Approval;
use crate::reconcile::goal::DeletionApproval;
use std::str::FromStr;

/// One word of `--allow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allow {
    /// `restart`
    Restart,
    /// `replace`: new roots.
    Replace,
    /// `delete`
    Delete,
    /// `delete=N`: so many objects at most.
    DeleteAtMost(usize),
}

impl FromStr for Allow {
    type Err = String;

    fn from_str(text: &str) -> Result<Allow, String> {
        match text.split_once('=') {
            None if text == "restart" => Ok(Allow::Restart),
            None if text == "replace" => Ok(Allow::Replace),
            None if text == "delete" => Ok(Allow::Delete),
            Some(("delete", number)) => {
                let most = number.parse().map_err(|_| format!("`{number}` is no number; write delete=12"))?;
                Ok(Allow::DeleteAtMost(most))
            }
            _ => Err("write `restart`, `replace`, `delete` or `delete=N`".to_owned()),
        }
    }
}

impl Allow {
    pub fn approval(allowed: &[Allow]) -> Approval {
        Approval::new(allowed.contains(&Allow::Restart), allowed.contains(&Allow::Replace))
    }

    /// What is said about deletions; the narrowest word counts.
    pub fn deletions(allowed: &[Allow]) -> DeletionApproval {
        let numbers = allowed.iter().filter_map(|allow| match allow {
            Allow::DeleteAtMost(most) => Some(*most),
            Allow::Restart | Allow::Replace | Allow::Delete => None,
        });
        match numbers.min() {
            Some(most) => DeletionApproval::AtMost(most),
            None if allowed.contains(&Allow::Delete) => DeletionApproval::Any,
            None => DeletionApproval::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_word_about_deletions_counts() {
        let words =
            |texts: &[&str]| -> Vec<Allow> { texts.iter().map(|text| text.parse().unwrap()).collect() };
        assert_eq!(Allow::deletions(&words(&["restart"])), DeletionApproval::None);
        assert_eq!(Allow::deletions(&words(&["delete"])), DeletionApproval::Any);
        assert_eq!(Allow::deletions(&words(&["delete", "delete=3"])), DeletionApproval::AtMost(3));
        assert_eq!(Allow::approval(&words(&["delete=3", "restart"])), Approval::Restart);
        assert_eq!(Allow::approval(&words(&["replace", "restart"])), Approval::RestartAndReplace);
        for wrong in ["deletes", "delete=", "delete=many", "restart=1", ""] {
            assert!(wrong.parse::<Allow>().is_err(), "{wrong}");
        }
    }
}
