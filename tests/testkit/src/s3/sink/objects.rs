//! What a sink remembers: sizes, and the headers that a client will ask for.
use std::collections::{BTreeMap, HashMap};

/// Headers that were given with an object and belong to it.
pub(super) type Headers = Vec<(String, String)>;

/// An object, or what is left of it.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) size: u64,
    pub(super) headers: Headers,
    /// Its contents, if it was small.
    pub(super) kept: Vec<u8>,
}

/// An upload in parts.
#[derive(Debug)]
struct Upload {
    headers: Headers,
    parts: HashMap<String, u64>,
}

/// Objects by bucket and key, joined by a slash.
#[derive(Debug, Default)]
pub(super) struct Objects {
    objects: BTreeMap<String, Object>,
    uploads: HashMap<String, Upload>,
    counter: u64,
}

impl Objects {
    /// An `ETag` that nothing else has got, in the form of a digest of parts: nobody takes it for one
    /// of the contents.
    pub(super) fn next_etag(&mut self) -> String {
        format!("\"{}-1\"", self.next_id())
    }

    fn next_id(&mut self) -> String {
        self.counter += 1;
        format!("{:032x}", self.counter)
    }

    pub(super) fn size(&self, name: &str) -> Option<u64> {
        self.get(name).map(|object| object.size)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Object> {
        self.objects.get(name)
    }

    pub(super) fn put(&mut self, name: String, object: Object) {
        self.objects.insert(name, object);
    }

    pub(super) fn delete(&mut self, name: &str) {
        self.objects.remove(name);
    }

    /// The names that start like this, in order, and the sizes.
    pub(super) fn list(&self, prefix: &str) -> impl Iterator<Item = (&str, u64)> {
        let from = self.objects.range(prefix.to_owned()..);
        let named = from.take_while(move |(name, _)| name.starts_with(prefix));
        named.map(|(name, object)| (name.as_str(), object.size))
    }

    pub(super) fn begin(&mut self, headers: Headers) -> String {
        let id = self.next_id();
        self.uploads.insert(id.clone(), Upload { headers, parts: HashMap::new() });
        id
    }

    /// Notes a part; false if there is no such upload.
    pub(super) fn part(&mut self, upload: &str, number: String, size: u64) -> bool {
        let found = self.uploads.get_mut(upload);
        found.map(|upload| upload.parts.insert(number, size)).is_some()
    }

    /// Makes an object of all parts; false if there is no such upload.
    pub(super) fn complete(&mut self, upload: &str, name: String, checksum: Headers) -> bool {
        let Some(mut upload) = self.uploads.remove(upload) else { return false };
        upload.headers.extend(checksum);
        let size = upload.parts.values().sum();
        self.put(name, Object { size, headers: upload.headers, kept: Vec::new() });
        true
    }

    pub(super) fn abort(&mut self, upload: &str) {
        self.uploads.remove(upload);
    }
}
