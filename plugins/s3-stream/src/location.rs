//! Locations: `s3://bucket/prefix`, and the keys of objects below them.

use std::fmt;

use crate::error::S3Error;

const SCHEME: &str = "s3://";
/// Longest key that S3 takes, bytes.
const LONGEST_KEY_BYTES: usize = 1024;

/// A bucket and the prefix that all keys of a target lie below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    bucket: String,
    /// Without a slash at either end; empty for the whole bucket.
    prefix: String,
}

impl Place {
    /// Reads a location.
    ///
    /// # Errors
    /// [`S3Error::Location`] with what is wrong.
    pub fn parse(location: &str) -> Result<Self, S3Error> {
        let wrong = |why| S3Error::Location { location: redacted(location), why };
        let rest = location.strip_prefix(SCHEME).ok_or_else(|| wrong("it is not s3://BUCKET"))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(wrong("it names no bucket"));
        }
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(legal) {
            return Err(wrong("a bucket's name has 3 to 63 letters, digits, '.', '-' and '_'"));
        }
        let prefix = prefix.trim_matches('/');
        check_segments(prefix).map_err(wrong)?;
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key in the bucket of an object that has this key below the place.
    ///
    /// # Errors
    /// [`S3Error::Key`]: no object can have it.
    pub fn key_of(&self, relative: &str) -> Result<String, S3Error> {
        let wrong = |why| S3Error::Key { key: relative.to_owned(), why };
        if relative.is_empty() {
            return Err(wrong("it is empty"));
        }
        if relative.starts_with('/') || relative.ends_with('/') {
            return Err(wrong("it begins or ends with a slash"));
        }
        check_segments(relative).map_err(wrong)?;
        let key = self.below(relative);
        if key.len() > LONGEST_KEY_BYTES {
            return Err(wrong("it is longer than 1024 bytes"));
        }
        Ok(key)
    }

    /// The beginning in the bucket of all keys that begin like this below the place.
    #[must_use]
    pub fn below(&self, relative: &str) -> String {
        match self.prefix.as_str() {
            "" => relative.to_owned(),
            prefix => format!("{prefix}/{relative}"),
        }
    }

    /// The key below the place of an object in the bucket; none if it lies elsewhere.
    #[must_use]
    pub fn relative<'k>(&self, key: &'k str) -> Option<&'k str> {
        match self.prefix.as_str() {
            "" => Some(key),
            prefix => key.strip_prefix(prefix)?.strip_prefix('/'),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        Ok(())
    }
}

/// A location as it may be shown: without what may be a user's secret.
fn redacted(location: &str) -> String {
    let Some((_, rest)) = location.rsplit_once('@') else { return location.to_owned() };
    format!("{SCHEME}…@{rest}")
}

/// Keys are texts to S3 and paths to proxies between: what a path would swallow is refused.
fn check_segments(path: &str) -> Result<(), &'static str> {
    if path.chars().any(char::is_control) {
        return Err("it has control characters");
    }
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err("it has a part named . or ..");
    }
    if path.contains("//") {
        return Err("it has two slashes in a row");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lie_below_the_prefix_and_come_back() {
        for (location, key) in [
            ("s3://bucket", "db.tar.gz"),
            ("s3://bucket/", "db.tar.gz"),
            ("s3://bucket/a/b/", "a/b/db.tar.gz"),
        ] {
            let place = Place::parse(location).unwrap();
            assert_eq!(place.key_of("db.tar.gz").unwrap(), key);
            assert_eq!(place.relative(key), Some("db.tar.gz"));
        }
        assert_eq!(Place::parse("s3://bucket/a/").unwrap().to_string(), "s3://bucket/a");
    }

    #[test]
    fn a_neighbour_with_the_same_beginning_is_elsewhere() {
        let place = Place::parse("s3://bucket/db").unwrap();
        assert_eq!(place.relative("db2/x"), None);
        assert_eq!(place.relative("other"), None);
    }

    #[test]
    fn what_is_no_place_is_refused_with_a_reason() {
        for (location, why) in [
            ("file:///x", "s3://BUCKET"),
            ("s3://", "no bucket"),
            ("s3:///key", "no bucket"),
            ("s3://a", "3 to 63"),
            ("s3://buck et", "3 to 63"),
            ("s3://bucket/a/../b", ".."),
            ("s3://bucket/a//b", "two slashes"),
        ] {
            let refused = Place::parse(location).unwrap_err().to_string();
            assert!(refused.contains(why), "{location}: {refused}");
        }
    }

    #[test]
    fn a_secret_in_a_location_is_not_repeated() {
        for location in ["s3://KEY:SEC/R@T@bucket/a", "S3://KEY:SECRET@bucket/a"] {
            let refused = Place::parse(location).unwrap_err().to_string();
            assert!(refused.starts_with("s3://…@bucket/a is no location"), "{refused}");
        }
    }

    #[test]
    fn keys_that_no_object_can_have_are_refused() {
        let place = Place::parse("s3://bucket/a").unwrap();
        for key in ["", "/x", "x/", "../x", "x\ny", &"k".repeat(1024)] {
            assert!(place.key_of(key).is_err(), "{key:?}");
        }
    }
}
