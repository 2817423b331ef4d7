//! Keys as people type them: a bare name is a container.

use crate::model::key::{Key, KeyError};

/// `web-1` or `container/web-1` or `image/debian`.
pub fn parse_key(text: &str) -> Result<Key, KeyError> {
    if text.contains('/') || text.is_empty() {
        return text.parse();
    }
    match text.split_once(':') {
        Some((project, name)) => format!("{project}:container/{name}").parse(),
        None => Ok(Key::container(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_a_container() {
        assert_eq!(parse_key("web-1").unwrap(), Key::container("web-1"));
        assert_eq!(parse_key("image/debian").unwrap(), Key::image("debian"));
        assert_eq!(parse_key("p:web-1").unwrap().project, "p");
        assert!(parse_key("thing/web-1").is_err());
        assert_eq!(parse_key(""), Err(KeyError::Empty));
    }
}
