//! Entity tags: equal exactly while the rows they stand for are the same.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ETAG, IF_NONE_MATCH},
};

use super::answer::Answer;

/// A tag, weak: the rows are the same, their age may not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag(String);

impl Tag {
    /// The tag of whatever is hashed, in the process of that epoch.
    pub(super) fn of(epoch: u32, content: impl Hash) -> Tag {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        Tag(format!("W/\"{epoch:08x}-{:016x}\"", hasher.finish()))
    }

    /// Whether the asker has what the tag stands for.
    pub(super) fn is_known(&self, headers: &HeaderMap) -> bool {
        let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let own = bare(&self.0);
        headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .any(|tag| tag.trim() == "*" || bare(tag) == own)
    }

    fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("a tag is ASCII")
    }

    /// `answer` with this tag, made only if the asker does not have it yet.
    pub(super) fn answer(&self, headers: &HeaderMap, answer: impl FnOnce() -> Answer) -> Answer {
        let answer = if self.is_known(headers) {
            Answer::empty(StatusCode::NOT_MODIFIED)
        } else {
            answer()
        };
        answer.briefly_cached().with(ETAG, self.header())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_tag_is_known_however_it_is_written() {
        let tag = Tag::of(1, ("rows", 7));
        assert_eq!(tag, Tag::of(1, ("rows", 7)));
        assert_ne!(tag, Tag::of(1, ("rows", 8)));
        assert_ne!(tag, Tag::of(2, ("rows", 7)));
        let strong = tag.0.trim_start_matches("W/").to_owned();
        for (header, known) in [
            (tag.0.clone(), true),
            (strong.clone(), true),
            (format!("\"other\" , {strong}"), true),
            ("*".to_owned(), true),
            ("\"other\"".to_owned(), false),
        ] {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, header.parse().unwrap())]);
            assert_eq!(tag.is_known(&headers), known, "{header}");
        }
        assert!(!tag.is_known(&HeaderMap::new()));
    }
}
