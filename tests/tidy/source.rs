//! The source tree as the rules see it: files, their code without comments and literals, the paths
//! that code names.
//!
//! A lexer of this size knows no macros and no types. It is enough to see which crate is named where,
//! and its own tests below say what it must get right.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One text file of the repository.
pub(crate) struct SourceFile {
    /// Relative to the repository, with `/`.
    pub(crate) path: String,
    /// As it is on disk.
    pub(crate) text: String,
}

/// A place where a rule is broken.
#[derive(Debug)]
pub(crate) struct Finding {
    /// `path:line`, or the path alone.
    pub(crate) place: String,
    /// What stands there.
    pub(crate) what: String,
}

impl SourceFile {
    /// True for files that hold nothing but tests or what tests need.
    pub(crate) fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.split('/').any(|part| part == "tests")
            || name == "tests.rs"
            || name.ends_with("_tests.rs")
    }

    /// The code without comments, literals and items under `#[cfg(test)]`; lines keep their numbers.
    pub(crate) fn production_code(&self) -> String {
        without_test_items(&without_comments_and_literals(&self.text))
    }

    /// A finding at a line counted from 1.
    pub(crate) fn at(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding {
            place: format!("{}:{line}", self.path),
            what: what.into(),
        }
    }
}

/// Every file below the given top-level names whose extension is listed, in path order.
pub(crate) fn files(tops: &[&str], extensions: &[&str]) -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for top in tops {
        collect(&root.join(top), extensions, &mut paths);
    }
    paths.sort();
    paths
        .into_iter()
        .map(|path| SourceFile {
            text: fs::read_to_string(&path).expect("source files are UTF-8"),
            path: path
                .strip_prefix(root)
                .expect("below the root")
                .to_string_lossy()
                .replace('\\', "/"),
        })
        .collect()
}

fn collect(path: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a readable directory") {
            let entry = entry.expect("a readable entry");
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if !hidden && entry.file_name() != "target" {
                collect(&entry.path(), extensions, found);
            }
        }
    } else if let Some(extension) = path.extension()
        && extensions.iter().any(|wanted| extension == *wanted)
    {
        found.push(path.to_owned());
    }
}

/// Blanks comments, strings and character literals; keeps newlines and columns of what is left.
pub(crate) fn without_comments_and_literals(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(&bytes, at);
        if end == at {
            out.push(bytes[at]);
            at += 1;
        } else {
            out.extend(
                bytes[at..end]
                    .iter()
                    .map(|&c| if c == '\n' { '\n' } else { ' ' }),
            );
            at = end;
        }
    }
    out
}

/// Where the comment or literal that starts at `at` ends; `at` itself when none starts there.
fn literal_end(text: &[char], at: usize) -> usize {
    let get = |index: usize| text.get(index).copied().unwrap_or('\0');
    match (get(at), get(at + 1)) {
        ('/', '/') => until(text, at, |index| get(index) == '\n'),
        ('/', '*') => {
            let mut depth = 0;
            let mut index = at;
            while index < text.len() {
                match (get(index), get(index + 1)) {
                    ('/', '*') => (depth, index) = (depth + 1, index + 2),
                    ('*', '/') => (depth, index) = (depth - 1, index + 2),
                    _ => index += 1,
                }
                if depth == 0 {
                    break;
                }
            }
            index.min(text.len())
        }
        ('r', '"' | '#') if at == 0 || !is_ident(get(at - 1)) || get(at - 1) == 'b' => {
            let hashes = until(text, at + 1, |index| get(index) != '#') - at - 1;
            if get(at + 1 + hashes) != '"' {
                return at;
            }
            let closes = |index: usize| {
                get(index) == '"' && (1..=hashes).all(|offset| get(index + offset) == '#')
            };
            (until(text, at + 2 + hashes, closes) + 1 + hashes).min(text.len())
        }
        ('"', _) => quoted_end(text, at, '"'),
        ('\'', '\\') => quoted_end(text, at, '\''),
        ('\'', _) if get(at + 2) == '\'' => at + 3,
        _ => at,
    }
}

fn quoted_end(text: &[char], at: usize, quote: char) -> usize {
    let mut index = at + 1;
    while index < text.len() && text[index] != quote {
        index += if text[index] == '\\' { 2 } else { 1 };
    }
    (index + 1).min(text.len())
}

fn until(text: &[char], from: usize, stop: impl Fn(usize) -> bool) -> usize {
    (from..text.len())
        .find(|&index| stop(index))
        .unwrap_or(text.len())
}

fn is_ident(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Blanks every item under `#[cfg(test)]`: up to its `;`, or to the end of its block.
fn without_test_items(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = code.to_owned();
    let mut from = 0;
    while let Some(start) = out[from..].find(MARK).map(|found| found + from) {
        let mut depth = 0_i32;
        let mut end = out.len();
        for (offset, c) in out[start + MARK.len()..].char_indices() {
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(c, ';' | '}') {
                end = start + MARK.len() + offset + 1;
                break;
            }
        }
        let blank: String = out[start..end]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        from = start + blank.len();
        out.replace_range(start..end, &blank);
    }
    out
}

/// Every path that the code names, with its line: `use` trees written out, inline paths as they are.
pub(crate) fn named_paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut rest = code;
    let mut line = 1;
    while let Some(start) = rest.find(is_ident) {
        line += rest[..start].matches('\n').count();
        let end = path_end(&rest[start..]) + start;
        let path = &rest[start..end];
        if path == "use" {
            let stop = rest[end..]
                .find(';')
                .map_or(rest.len(), |found| found + end);
            let tree: String = rest[end..stop]
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            expand_use("", &tree, &mut |path| found.push((line, path)));
            line += rest[start..stop].matches('\n').count();
            rest = &rest[stop..];
        } else {
            if path.contains("::") {
                found.push((line, path.to_owned()));
            }
            rest = &rest[end..];
        }
    }
    found
}

fn path_end(text: &str) -> usize {
    let mut end = 0;
    loop {
        end += text[end..]
            .find(|c| !is_ident(c))
            .unwrap_or(text.len() - end);
        let more = text[end..]
            .strip_prefix("::")
            .is_some_and(|next| next.starts_with(is_ident));
        if !more {
            return end;
        }
        end += 2;
    }
}

fn expand_use(prefix: &str, tree: &str, found: &mut dyn FnMut(String)) {
    let tree = tree.trim();
    match tree.find('{') {
        Some(open) => {
            let close = tree.rfind('}').unwrap_or(tree.len());
            let prefix = format!("{prefix}{}", tree[..open].trim_start_matches("::"));
            let (mut depth, mut start) = (0, open + 1);
            for (index, c) in tree.char_indices().skip_while(|&(index, _)| index <= open) {
                match c {
                    '{' => depth += 1,
                    '}' if index != close => depth -= 1,
                    ',' if depth == 0 => {
                        expand_use(&prefix, &tree[start..index], found);
                        start = index + 1;
                    }
                    _ => {}
                }
            }
            expand_use(&prefix, &tree[start..close.max(start)], found);
        }
        None if tree.is_empty() => {}
        None => {
            let name = tree.split(" as ").next().unwrap_or(tree).trim();
            found(format!("{prefix}{}", name.trim_start_matches("::")));
        }
    }
}

/// True if `path` is `prefix` or lies below it, segment by segment.
pub(crate) fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[test]
fn the_lexer_sees_code_and_only_code() {
    let text = r###"
// openraft::a
use std::{env, time::{Duration, SystemTime as Now}};
/* outer /* rocksdb::b */ still */ let s = "tonic::c \" tonic::d"; let r = r#"rand::e"#;
let c = '"'; let l: &'static str = x; rocksdb::DB::open('\'', y);
#[cfg(test)]
mod tests { use rand::rng; fn f() { rand::random() } }
#[cfg(test)] mod more;
async fn g() { tokio::spawn(h) }
"###;
    let file = SourceFile {
        path: "node/src/x.rs".to_owned(),
        text: text.to_owned(),
    };
    let paths = named_paths(&file.production_code());
    let expected = [
        (3, "std::env"),
        (3, "std::time::Duration"),
        (3, "std::time::SystemTime"),
        (5, "rocksdb::DB::open"),
        (9, "tokio::spawn"),
    ];
    assert_eq!(paths, expected.map(|(line, path)| (line, path.to_owned())));
    assert!(
        is_below("tokio::time::sleep", "tokio::time") && !is_below("tokio::timer", "tokio::time")
    );
}
