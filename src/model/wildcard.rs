//! Patterns in which `*` stands for any part.

/// Whether a text is like a pattern in which `*` stands for any part of it.
pub fn is_like(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = text.get(at + part.len()..).unwrap_or_default();
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn a_star_is_any_part() {
        assert!(is_like("a*c*e", "abcde") && !is_like("a*c*e", "abde") && is_like("*", "") && !is_like("a*", "ba"));
    }
}
