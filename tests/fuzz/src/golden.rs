//! The golden values and keys, from `tests/golden`: what inputs to start from are made of.

/// Durable values by name, each in its envelope.
pub(crate) fn values() -> Vec<(&'static str, Vec<u8>)> {
    lines(include_str!("../../golden/values.hex"))
}

/// Keys by name.
pub(crate) fn keys() -> Vec<(&'static str, Vec<u8>)> {
    lines(include_str!("../../golden/keys.hex"))
}

/// The value of that name, in its envelope.
///
/// # Panics
/// There is none.
pub(crate) fn value(name: &str) -> Vec<u8> {
    named(values(), name)
}

/// The key of that name.
///
/// # Panics
/// There is none.
pub(crate) fn key(name: &str) -> Vec<u8> {
    named(keys(), name)
}

fn named(lines: Vec<(&'static str, Vec<u8>)>, wanted: &str) -> Vec<u8> {
    let mut lines = lines.into_iter();
    let found = lines.find_map(|(name, bytes)| (name == wanted).then_some(bytes));
    found.unwrap_or_else(|| panic!("{wanted} is not among the golden values"))
}

/// What an envelope holds.
pub(crate) fn body(sealed: &[u8]) -> &[u8] {
    sealed
        .get(1..sealed.len().saturating_sub(4))
        .unwrap_or_default()
}

/// Lines of a name and hexadecimal digits.
fn lines(text: &'static str) -> Vec<(&'static str, Vec<u8>)> {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(name, hex)| (name, unhex(hex.trim()))).collect()
}

/// # Panics
/// These are no hexadecimal digits.
fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("digits");
        u8::from_str_radix(pair, 16).expect("digits")
    };
    digits.map(byte).collect()
}
