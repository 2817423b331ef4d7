//! The order in which people read names: numbers in them by value, so that web-9 comes before web-10.

use std::cmp::Ordering;

/// Compares run by run; texts that mean the same are told apart by their bytes.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while !left.is_empty() && !right.is_empty() {
        let ((first, rest), (other, other_rest)) = (run(left), run(right));
        let order = match (digits(first), digits(other)) {
            (Some(first), Some(other)) => first.len().cmp(&other.len()).then_with(|| first.cmp(other)),
            _ => first.cmp(other),
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (rest, other_rest);
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// The digits, or the rest up to them, that a text begins with.
fn run(text: &str) -> (&str, &str) {
    let is_digit = |c: char| c.is_ascii_digit();
    let begins = text.starts_with(is_digit);
    text.split_at(text.find(|c| is_digit(c) != begins).unwrap_or(text.len()))
}

/// A number without what changes nothing of it.
fn digits(run: &str) -> Option<&str> {
    run.starts_with(|c: char| c.is_ascii_digit()).then(|| run.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_by_value_and_the_rest_by_its_letters() {
        let mut names = ["web-10", "web-9", "web", "web-09", "app-2b10", "app-2b9", "web-", "100", "20"];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(names, ["20", "100", "app-2b9", "app-2b10", "web", "web-", "web-09", "web-9", "web-10"]);
    }

    #[test]
    fn only_the_same_text_is_equal() {
        assert_eq!(compare("a-01", "a-01"), Ordering::Equal);
        assert_ne!(compare("a-01", "a-1"), Ordering::Equal);
        assert_eq!(compare("a-1", "a-01"), compare("a-01", "a-1").reverse());
    }
}
