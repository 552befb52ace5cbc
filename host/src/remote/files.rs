//! Several objects read as one: an archive that was too large for one continues in further ones.
use crate::pipeline::read::RangedRead;
use dbbackup_plugin_api::document::manifest::ObjectRecord;
use std::{io, ops::Range, sync::Arc};

/// The objects of an artefact, joined as `cat` would.
pub(crate) struct JoinedObjects(Vec<Arc<dyn RangedRead>>);

/// The bytes of an artefact, from the objects that its manifest names.
///
/// # Errors
/// The first that opening an object gives.
pub(crate) fn joined<E>(
    objects: &[ObjectRecord],
    open: impl Fn(&str) -> Result<Arc<dyn RangedRead>, E>,
) -> Result<Arc<dyn RangedRead>, E> {
    let opened: Vec<_> =
        objects.iter().map(|object| open(&object.name)).collect::<Result<_, _>>()?;
    match <[_; 1]>::try_from(opened) {
        Ok([only]) => Ok(only),
        Err(several) => Ok(Arc::new(JoinedObjects(several))),
    }
}

impl JoinedObjects {
    /// Every object with the part of a range that lies in it.
    fn parts(&self, range: Range<u64>) -> impl Iterator<Item = (&Arc<dyn RangedRead>, Range<u64>)> {
        let mut start = 0;
        self.0.iter().filter_map(move |object| {
            let end = start + object.size_bytes();
            let inside = range.start.max(start)..range.end.min(end);
            let part = inside.start.saturating_sub(start)..inside.end.saturating_sub(start);
            start = end;
            (inside.start < inside.end).then_some((object, part))
        })
    }
}

impl RangedRead for JoinedObjects {
    fn size_bytes(&self) -> u64 {
        self.0.iter().map(|object| object.size_bytes()).sum()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let Some((object, part)) = self.parts(offset..u64::MAX).next() else { return Ok(0) };
        let wanted = usize::try_from(part.end - part.start).unwrap_or(usize::MAX);
        let length = wanted.min(buffer.len());
        object.read_at(part.start, buffer.get_mut(..length).unwrap_or_default())
    }

    fn expect(&self, range: Range<u64>) {
        self.parts(range).for_each(|(object, part)| object.expect(part));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bytes(&'static [u8]);

    impl RangedRead for Bytes {
        fn size_bytes(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            let rest = &self.0[usize::try_from(offset).unwrap()..];
            let length = rest.len().min(buffer.len());
            buffer[..length].copy_from_slice(&rest[..length]);
            Ok(length)
        }
    }

    #[test]
    fn reads_go_on_from_object_to_object() {
        let objects: Vec<Arc<dyn RangedRead>> =
            vec![Arc::new(Bytes(b"abc")), Arc::new(Bytes(b"")), Arc::new(Bytes(b"defgh"))];
        let joined = JoinedObjects(objects);
        assert_eq!(joined.size_bytes(), 8);
        for start in 0..=8 {
            let mut read = Vec::new();
            loop {
                let mut buffer = [0; 2];
                let at = start + read.len() as u64;
                match joined.read_at(at, &mut buffer).unwrap() {
                    0 => break,
                    length => read.extend_from_slice(&buffer[..length]),
                }
            }
            assert_eq!(read, b"abcdefgh"[usize::try_from(start).unwrap()..]);
        }
    }
}
