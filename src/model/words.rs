//! Likely fixes for mistyped words, and letters that people do not see.

use super::key::Key;

/// The candidate nearest to `word`, if it is near enough to be what was meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = word.to_lowercase();
    let limit = 1 + word.chars().count() / 5;
    candidates
        .into_iter()
        .map(|candidate| (distance(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// `did you mean X?`, where something is near enough.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// `did you mean KEY?`, where one of the keys is of the same kind and nearly so named, or of another and so named.
pub fn meant<'a>(key: &Key, keys: impl Iterator<Item = &'a Key> + Clone) -> Option<String> {
    let of_kind = keys.clone().filter(|other| other.kind == key.kind).map(|other| other.name.as_str());
    let near = nearest(&key.name, of_kind).map(|name| Key { name: name.to_owned(), ..key.clone() });
    let of_another = || keys.clone().find(|other| other.name == key.name && other.kind != key.kind).cloned();
    near.or_else(of_another).map(|key| format!("did you mean `{key}`?"))
}

/// `a, b or c`.
pub fn alternatives<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// Edits between two words: insertions, removals, replacements, and swaps of neighbours (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows: [Vec<usize>; 3] = [vec![], (0..=to.len()).collect(), vec![0; to.len() + 1]];
    for i in 1..=from.len() {
        rows[2] = vec![i; to.len() + 1];
        for j in 1..=to.len() {
            let replaced = rows[1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut best = replaced.min(rows[1][j] + 1).min(rows[2][j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(rows[0][j - 2] + 1);
            }
            rows[2][j] = best;
        }
        rows.rotate_left(1);
    }
    rows[1][to.len()]
}

/// Whether a letter turns the direction of writing.
pub fn turns(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_pair_of_letters_is_one_edit() {
        assert_eq!(distance("limits.memroy", "limits.memory"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn a_word_far_from_all_candidates_has_no_suggestion() {
        assert_eq!(nearest("banana", ["image", "state"]), None);
        assert_eq!(nearest("imgae", ["image", "state"]), Some("image"));
    }
}
