//! The known name that an unknown one was probably meant to be.

/// Least likeness (Jaro-Winkler, 0 to 1) of a name that is worth suggesting.
const LEAST_LIKENESS: f64 = 0.75;

/// The name of `known` that is most like `given`; of equals the first.
pub(crate) fn nearest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let mut best: Option<(f64, &str)> = None;
    for name in known {
        let likeness = strsim::jaro_winkler(given, name);
        let beaten = best.is_some_and(|(most, _)| most >= likeness);
        if likeness >= LEAST_LIKENESS && !beaten {
            best = Some((likeness, name));
        }
    }
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_only_what_is_alike() {
        let known = ["mysqldump", "clone", "snapshot"];
        assert_eq!(nearest("mysqldmup", known), Some("mysqldump"));
        assert_eq!(nearest("colne", known), Some("clone"));
        assert_eq!(nearest("xyz", known), None);
    }
}
