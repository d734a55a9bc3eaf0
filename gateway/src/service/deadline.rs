//! How long a caller waits, from its `grpc-timeout` header. Pure.

use std::time::Duration;

use crate::limits;

/// The header that says it.
pub(crate) const HEADER: &str = "grpc-timeout";

/// What the callers of a service get.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For calls that do not say.
    pub(crate) default: Duration,
    /// At most.
    pub(crate) max: Duration,
}

/// For terminals.
pub(crate) const TERMINAL: Patience = Patience {
    default: limits::CALL_TIMEOUT_DEFAULT,
    max: limits::CALL_TIMEOUT_MAX,
};

/// For operators.
pub(crate) const OPERATOR: Patience = Patience {
    default: limits::ADMIN_TIMEOUT_DEFAULT,
    max: limits::ADMIN_TIMEOUT_MAX,
};

/// The time that may pass before the answer must leave. Zero: there is none left. A header that cannot be
/// read counts as absent, as the protocol's own implementations have it.
pub(crate) fn time_for_answer(header: Option<&[u8]>, patience: Patience) -> Duration {
    let asked = header.and_then(read).unwrap_or(patience.default);
    let granted = asked.min(patience.max);
    granted - limits::ANSWER_MARGIN_MAX.min(granted / 10)
}

/// Whether a header says that the deadline has passed already. Time is counted in milliseconds on the way
/// to a shard, so less than one is none.
pub(crate) fn has_passed(header: &[u8]) -> bool {
    read(header).is_some_and(|asked| asked < limits::TIME_LEFT_MIN)
}

/// One to eight digits and a unit.
fn read(header: &[u8]) -> Option<Duration> {
    let (unit, digits) = header.split_last()?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let mut value: u64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u64::from(digit - b'0');
    }
    Some(match unit {
        b'H' => Duration::from_secs(value * 3600),
        b'M' => Duration::from_secs(value * 60),
        b'S' => Duration::from_secs(value),
        b'm' => Duration::from_millis(value),
        b'u' => Duration::from_micros(value),
        b'n' => Duration::from_nanos(value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_read_as_the_protocol_says() {
        let cases: [(&str, Option<Duration>); 14] = [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("0m", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("5", None),
            ("-1S", None),
            ("123456789S", None),
            ("1s", None),
        ];
        for (header, expected) in cases {
            assert_eq!(read(header.as_bytes()), expected, "{header:?}");
        }
    }

    #[test]
    fn the_answer_leaves_before_the_deadline() {
        let ms = Duration::from_millis;
        let terminal = |header: Option<&str>| time_for_answer(header.map(str::as_bytes), TERMINAL);
        assert_eq!(terminal(Some("100m")), ms(90));
        assert_eq!(terminal(Some("2S")), ms(1850));
        assert_eq!(terminal(None), ms(4850));
        assert_eq!(terminal(Some("rubbish")), ms(4850));
        assert_eq!(terminal(Some("1H")), ms(29_850));
        assert_eq!(terminal(Some("0n")), Duration::ZERO);
    }

    #[test]
    fn less_than_a_millisecond_has_passed() {
        for (header, passed) in [("0S", true), ("999u", true), ("1m", false), ("x", false)] {
            assert_eq!(has_passed(header.as_bytes()), passed, "{header}");
        }
    }
}
