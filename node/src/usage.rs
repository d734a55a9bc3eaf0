//! What this process uses, as the kernel counts it.

use std::fs;

/// Memory and disk use of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Resident memory.
    pub(crate) memory_bytes: u64,
    /// Bytes sent to storage since the process started.
    pub(crate) written_bytes: u64,
}

/// Reads `/proc/self`; what cannot be read is 0.
pub(crate) fn of_this_process() -> Usage {
    let field = |path: &str, name: &str| {
        fs::read_to_string(path)
            .ok()
            .and_then(|text| parse_field(&text, name))
            .unwrap_or(0)
    };
    Usage {
        memory_bytes: 1024 * field("/proc/self/status", "VmRSS:"),
        written_bytes: field("/proc/self/io", "write_bytes:"),
    }
}

/// The number behind `name` on its line.
fn parse_field(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "VmPeak:\t  10 kB\nVmRSS:\t  1234 kB\n";
        assert_eq!(parse_field(text, "VmRSS:"), Some(1234));
        assert_eq!(parse_field(text, "VmSwap:"), None);
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(of_this_process().memory_bytes > 0);
    }
}
