//! What counts as proof that a fault struck, where counters or a log tell: pure, so that each can be tried with what
//! must not count.

use anyhow::{bail, ensure};

use crate::{kind::Kind, links::Counted, shim::ShimCounts, stage::panics};

/// What was counted between a strike and its healing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// Over all links.
    pub(super) links: Counted,
    /// On one node.
    pub(super) shim: ShimCounts,
}

/// What a kind's counters show.
///
/// # Errors
/// Nothing, or the kind has no counters.
pub(super) fn counted(kind: Kind, moved: &Moved) -> anyhow::Result<String> {
    let (links, shim) = (&moved.links, &moved.shim);
    let (count, what) = match kind {
        Kind::PartitionMinority
        | Kind::PartitionFollower
        | Kind::PartitionMajority
        | Kind::PartitionOneWay
        | Kind::PartitionGateway
        | Kind::PartitionBridge => (links.held, "pieces and connections waited"),
        Kind::SlowLinks => (links.pieces_delayed, "pieces were late"),
        Kind::LossyLinks => (
            links.resets + links.half_closes,
            "connections were reset or half closed",
        ),
        Kind::ClockAhead | Kind::ClockBehind => {
            (shim.wall_reads_off, "readings of a clock that was set off")
        }
        Kind::ClockDrift => (
            shim.steady_reads_drifted,
            "readings of a steady clock that ran wrong",
        ),
        Kind::SlowSync => (shim.syncs_delayed, "syncs were slow"),
        Kind::FailingSync => (shim.syncs_failed, "syncs failed"),
        _ => bail!("{kind} has no counters"),
    };
    ensure!(count > 0, "{kind} struck nothing: 0 {what}");
    Ok(format!("{count} {what}"))
}

/// What a process says that could not have what it asked for: memory from Rust, from C++, or from the system, which
/// calls a thread's memory a resource.
const NO_MEMORY: [&str; 6] = [
    "memory allocation of",
    "bad_alloc",
    "Cannot allocate memory",
    "out of memory",
    "OutOfMemory",
    "Resource temporarily unavailable",
];

/// What a log tells of the end of a node that had no memory left.
///
/// # Errors
/// It does not say that it had none, or panicked over something else before.
pub(super) fn died_of_memory(log: &str) -> anyhow::Result<&str> {
    let is_about_memory = |line: &str| NO_MEMORY.iter().any(|word| line.contains(word));
    let Some(said) = log.lines().find(|line| is_about_memory(line)) else {
        bail!("it does not say that it had no memory:\n{log}");
    };
    // What panics afterwards may do so over whoever died first.
    if let Some(first) = panics(log).first() {
        ensure!(is_about_memory(first), "it panicked over {first}");
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every counter, moved by itself.
    fn single_moves() -> Vec<Moved> {
        let links = Counted::default();
        let shim = ShimCounts::default();
        let links = [
            Counted { held: 1, ..links },
            Counted {
                pieces_delayed: 1,
                ..links
            },
            Counted { resets: 1, ..links },
            Counted {
                half_closes: 1,
                ..links
            },
            // Other faults break connections too, all at once.
            Counted { broken: 1, ..links },
        ];
        let shims = [
            ShimCounts {
                wall_reads_off: 1,
                ..shim
            },
            ShimCounts {
                steady_reads_drifted: 1,
                ..shim
            },
            ShimCounts {
                syncs_delayed: 1,
                ..shim
            },
            ShimCounts {
                syncs_failed: 1,
                ..shim
            },
        ];
        let links = links.map(|links| Moved { links, shim });
        let shims = shims.map(|shim| Moved {
            shim,
            ..Moved::default()
        });
        links.into_iter().chain(shims).collect()
    }

    #[test]
    fn only_its_own_counters_prove_a_kind() {
        let moves = single_moves();
        for (kind, own) in [
            (Kind::PartitionMinority, &[0][..]),
            (Kind::PartitionFollower, &[0]),
            (Kind::PartitionMajority, &[0]),
            (Kind::PartitionOneWay, &[0]),
            (Kind::PartitionGateway, &[0]),
            (Kind::PartitionBridge, &[0]),
            (Kind::SlowLinks, &[1]),
            (Kind::LossyLinks, &[2, 3]),
            (Kind::ClockAhead, &[5]),
            (Kind::ClockBehind, &[5]),
            (Kind::ClockDrift, &[6]),
            (Kind::SlowSync, &[7]),
            (Kind::FailingSync, &[8]),
        ] {
            assert!(counted(kind, &Moved::default()).is_err(), "{kind}: nothing");
            for (counter, moved) in moves.iter().enumerate() {
                let shown = counted(kind, moved);
                assert_eq!(shown.is_ok(), own.contains(&counter), "{kind}: {moved:?}");
            }
        }
    }

    #[test]
    fn a_node_dies_of_memory_only_if_it_says_so() {
        for log in [
            "memory allocation of 4096 bytes failed\n",
            "terminate called after throwing an instance of 'std::bad_alloc'\n",
            "thread 'main' panicked at a.rs:1:1:\nfailed to spawn thread: Cannot allocate memory (os error 12)\n\
             thread 'tokio' panicked at b.rs:2:2:\nthe lock is poisoned\n",
        ] {
            assert!(died_of_memory(log).is_ok(), "{log}");
        }
        for log in [
            "",
            "error: a disk is damaged\n",
            "thread 'main' panicked at a.rs:1:1:\nthe log goes backwards\n\
             memory allocation of 4096 bytes failed\n",
        ] {
            assert!(died_of_memory(log).is_err(), "{log}");
        }
    }
}
