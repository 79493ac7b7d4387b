//! Names that someone may have meant.

/// The candidates near to a name, nearest first: those that differ in letter case only, then by the number of
/// letters typed wrong, left out, added or swapped, up to a third of the name.
pub fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Vec<&'c str> {
    let mut near: Vec<(usize, &str)> =
        candidates.filter_map(|candidate| Some((distance(name, candidate)?, candidate))).collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

/// How far apart two names are; `None` when nobody would mistake one for the other.
pub(super) fn distance(name: &str, candidate: &str) -> Option<usize> {
    if name.eq_ignore_ascii_case(candidate) {
        return Some(0);
    }
    let longest = (name.len().max(candidate.len()) / 3).max(1);
    if name.len().abs_diff(candidate.len()) > longest {
        return None;
    }
    // A letter that the other lacks takes a change each.
    let (one, other) = (letters(name), letters(candidate));
    if (one & !other).count_ones().max((other & !one).count_ones()) as usize > longest {
        return None;
    }
    let distance = strsim::damerau_levenshtein(&name.to_ascii_lowercase(), &candidate.to_ascii_lowercase());
    (distance <= longest).then_some(distance)
}

/// The letters of a name, whatever their case, one bit each.
fn letters(name: &str) -> u32 {
    let letters = name.bytes().filter(u8::is_ascii_alphabetic);
    letters.fold(0, |letters, letter| letters | 1 << (letter.to_ascii_lowercase() - b'a'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_come_first() {
        let fields = ["image", "imagePullPolicy", "name", "env", "envFrom", "ports"];
        let near = |name| nearest(name, fields.into_iter());
        assert_eq!(near("imagePullpolicy"), ["imagePullPolicy"]);
        assert_eq!(near("imge"), ["image"]);
        assert_eq!(near("port"), ["ports"]);
        assert_eq!(near("evn"), ["env"]);
        assert!(near("replicas").is_empty());
    }
}
