//! How the core reads state, and how it hands writes back.

use std::{
    collections::{BTreeMap, btree_map},
    ops::Bound,
};

use thiserror::Error;

/// Writes of one step: `None` deletes the key.
pub type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Called for each row of a scan with its key and value; an error ends the scan.
pub type VisitRow<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), ViewError>;

/// A fixed, readable state: rows in key order.
pub trait View {
    /// The value of a key.
    ///
    /// # Errors
    /// The storage engine failed.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError>;

    /// Hands every row with `first <= key < end` to `visit`, in key order, until it returns an error.
    ///
    /// # Errors
    /// The storage engine failed, or `visit` did; the visitor's error is returned as it is.
    fn scan(&self, first: &[u8], end: &[u8], visit: VisitRow<'_>) -> Result<(), ViewError>;
}

/// Reading failed, or a visitor ended a scan.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{detail}")]
pub struct ViewError {
    detail: String,
}

impl ViewError {
    /// Says what failed.
    pub fn new(detail: impl ToString) -> Self {
        Self {
            detail: detail.to_string(),
        }
    }
}

/// Rows in memory: the state of a simulation or a test.
impl View for BTreeMap<Vec<u8>, Vec<u8>> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        Ok(BTreeMap::get(self, key).cloned())
    }

    fn scan(&self, first: &[u8], end: &[u8], visit: VisitRow<'_>) -> Result<(), ViewError> {
        if first >= end {
            return Ok(());
        }
        for (key, value) in self.range::<[u8], _>((Bound::Included(first), Bound::Excluded(end))) {
            visit(key, value)?;
        }
        Ok(())
    }
}

/// A view with writes on top: what a later command of the same batch must see.
pub struct Overlay<'v> {
    base: &'v dyn View,
    writes: Writes,
}

impl<'v> Overlay<'v> {
    /// Starts without writes.
    #[must_use]
    pub fn new(base: &'v dyn View) -> Self {
        Self {
            base,
            writes: Writes::new(),
        }
    }

    /// Sets a row.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.insert(key, Some(value));
    }

    /// Removes a row.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.writes.insert(key, None);
    }

    /// Everything written since [`Overlay::new`].
    #[must_use]
    pub fn into_writes(self) -> Writes {
        self.writes
    }
}

impl View for Overlay<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        match self.writes.get(key) {
            Some(written) => Ok(written.clone()),
            None => self.base.get(key),
        }
    }

    fn scan(&self, first: &[u8], end: &[u8], visit: VisitRow<'_>) -> Result<(), ViewError> {
        if first >= end {
            return Ok(());
        }
        let bounds = (Bound::Included(first), Bound::Excluded(end));
        let mut written = self.writes.range::<[u8], _>(bounds).peekable();
        self.base.scan(first, end, &mut |key, value| {
            visit_written_before(&mut written, key, visit)?;
            match written.next_if(|(written_key, _)| written_key.as_slice() == key) {
                Some((_, Some(newer))) => visit(key, newer),
                Some((_, None)) => Ok(()),
                None => visit(key, value),
            }
        })?;
        for (key, value) in written {
            if let Some(value) = value {
                visit(key, value)?;
            }
        }
        Ok(())
    }
}

fn visit_written_before(
    written: &mut std::iter::Peekable<btree_map::Range<'_, Vec<u8>, Option<Vec<u8>>>>,
    key: &[u8],
    visit: VisitRow<'_>,
) -> Result<(), ViewError> {
    while let Some((new_key, value)) = written.next_if(|(new_key, _)| new_key.as_slice() < key) {
        if let Some(value) = value {
            visit(new_key, value)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn rows(view: &dyn View, first: &[u8], end: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut rows = Vec::new();
        view.scan(first, end, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            Ok(())
        })
        .unwrap();
        rows
    }

    fn base() -> BTreeMap<Vec<u8>, Vec<u8>> {
        [b"b", b"d", b"f"]
            .map(|key| (key.to_vec(), b"old".to_vec()))
            .into()
    }

    #[test]
    fn writes_hide_what_lies_below() {
        let base = base();
        let mut overlay = Overlay::new(&base);
        overlay.put(b"a".to_vec(), b"new".to_vec());
        overlay.put(b"d".to_vec(), b"new".to_vec());
        overlay.delete(b"f".to_vec());
        overlay.put(b"e".to_vec(), b"new".to_vec());
        overlay.delete(b"g".to_vec());
        overlay.put(b"h".to_vec(), b"new".to_vec());
        assert_eq!(overlay.get(b"d").unwrap().unwrap(), b"new");
        assert_eq!(overlay.get(b"b").unwrap().unwrap(), b"old");
        assert_eq!(overlay.get(b"f").unwrap(), None);

        let merged: BTreeMap<Vec<u8>, Vec<u8>> = {
            let mut merged = base.clone();
            merged.remove(b"f".as_slice());
            for key in [b"a", b"d", b"e", b"h"] {
                merged.insert(key.to_vec(), b"new".to_vec());
            }
            merged
        };
        for first in b'a'..=b'i' {
            for end in b'a'..=b'i' {
                let bounds = ([first], [end]);
                let expected = rows(&merged, &bounds.0, &bounds.1);
                assert_eq!(rows(&overlay, &bounds.0, &bounds.1), expected, "{bounds:?}");
            }
        }
        assert_eq!(overlay.into_writes().len(), 6);
    }

    #[test]
    fn a_visitor_ends_the_scan_with_its_own_error() {
        let base = base();
        let overlay = Overlay::new(&base);
        let mut seen = 0;
        let result = overlay.scan(b"a", b"z", &mut |_, _| {
            seen += 1;
            Err(ViewError::new("enough"))
        });
        assert_eq!((result, seen), (Err(ViewError::new("enough")), 1));
    }
}
