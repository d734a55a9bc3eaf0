//! Fixed seeds that every change must pass, and proof that a seed is a run.

use quorate_sim::coverage::Counts;
use quorate_sim::run;

/// Seeds of every test run.
const SEEDS: std::ops::Range<u64> = 0..50;

/// Run side by side.
const THREADS: u64 = 4;

/// What so few seeds may miss.
const RARE: [&str; 5] = [
    "RollingRestart",
    "DiskFull",
    "BitFlip",
    "TableTorn",
    "InstallRedone",
];

#[test]
fn the_fixed_seeds_are_clean_and_try_what_is_frequent() {
    let share = |of: u64| {
        let mut counts = Counts::default();
        for seed in SEEDS.filter(|seed| seed % THREADS == of) {
            let outcome = run(seed, None);
            assert!(
                outcome.is_clean(),
                "{outcome}\nreplay with: make sim SEED={seed}"
            );
            counts.add(&outcome.counts);
        }
        counts
    };
    let mut sum = Counts::default();
    std::thread::scope(|scope| {
        let shares: Vec<_> = (0..THREADS)
            .map(|of| scope.spawn(move || share(of)))
            .collect();
        for share in shares {
            match share.join() {
                Ok(counts) => sum.add(&counts),
                Err(panicked) => std::panic::resume_unwind(panicked),
            }
        }
    });
    let mut missing = sum.missing();
    missing.retain(|kind| !RARE.contains(&kind.as_str()));
    assert_eq!(missing, Vec::<String>::new(), "in {sum:?}");
}

/// Each failed once, most of them only then: see `docs/bugs-found.md`.
#[test]
fn seeds_that_failed_once() {
    for seed in [301, 1610, 2135, 2570, 2632, 2840, 3767, 9736] {
        let outcome = run(seed, None);
        assert!(
            outcome.is_clean(),
            "{outcome}\nreplay with: make sim SEED={seed}"
        );
    }
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_another() {
    for seed in [3, 11, 27] {
        let (first, second) = (run(seed, None), run(seed, None));
        assert_eq!(first.trace, second.trace, "seed {seed}");
        assert_eq!(first.steps, second.steps, "seed {seed}");
        assert_eq!(first.counts, second.counts, "seed {seed}");
        assert_eq!(first.calls, second.calls, "seed {seed}");
        assert_eq!(first.virtual_time, second.virtual_time, "seed {seed}");
        assert_ne!(first.trace, run(seed + 1, None).trace, "seed {seed}");
    }
}
