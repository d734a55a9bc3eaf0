//! Which faults come when: derived from a seed, so that the same seed brings the same kinds in the same order
//! upon the same numbers. When exactly a process does what, the machine decides.
//!
//! Kinds come from a bag that is emptied before it is filled again, so that every kind has its turn.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};

use crate::kind::Kind;

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// One kind, or two.
    pub kinds: Vec<Kind>,
    /// Between the strikes of two.
    pub apart: Duration,
    /// How long the faults stay, once all have struck.
    pub hold: Duration,
    /// Of the choices within the step.
    pub seed: u64,
}

/// An endless sequence of steps.
#[derive(Debug)]
pub struct Schedule {
    kinds: Vec<Kind>,
    bag: Vec<Kind>,
    dice: StdRng,
    mixes: bool,
}

impl Schedule {
    /// Of these kinds.
    #[must_use]
    pub fn new(seed: u64, kinds: &[Kind]) -> Self {
        Self {
            kinds: kinds.to_vec(),
            bag: Vec::new(),
            dice: StdRng::seed_from_u64(seed),
            mixes: true,
        }
    }

    /// Each kind by itself.
    #[must_use]
    pub fn unmixed(self) -> Self {
        Self {
            mixes: false,
            ..self
        }
    }

    fn fill(&mut self) {
        self.bag = often(&self.kinds).collect();
        self.bag.shuffle(&mut self.dice);
    }
}

/// Each kind as often as its weight says.
fn often(kinds: &[Kind]) -> impl Iterator<Item = Kind> {
    kinds
        .iter()
        .flat_map(|kind| std::iter::repeat_n(*kind, kind.weight()))
}

impl Iterator for Schedule {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.bag.is_empty() {
            self.fill();
        }
        let first = self.bag.pop()?;
        let mut kinds = vec![first];
        let partners: Vec<Kind> = often(&self.kinds)
            .filter(|kind| kind.mixes_with(first))
            .collect();
        let is_mixed = self.dice.random_range(0..100) < first.mixed_of_100();
        if is_mixed && self.mixes && !partners.is_empty() {
            kinds.push(partners[self.dice.random_range(0..partners.len())]);
        }
        Some(Step {
            kinds,
            apart: Duration::from_millis(self.dice.random_range(0..800)),
            hold: Duration::from_millis(self.dice.random_range(1500..4500)),
            seed: self.dice.random(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_is_a_schedule() {
        let steps = |seed| -> Vec<Step> { Schedule::new(seed, &Kind::ALL).take(200).collect() };
        assert_eq!(steps(7), steps(7));
        assert_ne!(steps(7), steps(8));
    }

    #[test]
    fn every_kind_has_its_turn_alone_and_mixed() {
        let turn: usize = Kind::ALL.iter().map(|kind| kind.weight()).sum();
        let steps: Vec<Step> = Schedule::new(1, &Kind::ALL).take(turn).collect();
        let firsts: BTreeSet<Kind> = steps.iter().map(|step| step.kinds[0]).collect();
        assert_eq!(firsts.len(), Kind::ALL.len());
        assert!(steps.iter().any(|step| step.kinds.len() == 2));
        for step in &steps {
            if let [one, other] = step.kinds[..] {
                assert!(one.mixes_with(other), "{one} with {other}");
            }
        }
        let alone = Schedule::new(1, &Kind::ALL).unmixed().take(turn);
        assert!(alone.into_iter().all(|step| step.kinds.len() == 1));
    }

    #[test]
    fn members_change_during_most_other_faults() {
        let turn: usize = Kind::ALL.iter().map(|kind| kind.weight()).sum();
        let steps = Schedule::new(1, &Kind::ALL).take(50 * turn);
        let replaced = steps.filter(|step| step.kinds[0] == Kind::ReplaceNode);
        let (mixed, alone): (Vec<Step>, Vec<Step>) =
            replaced.partition(|step| step.kinds.len() == 2);
        assert!(!alone.is_empty() && mixed.len() >= 3 * alone.len());
        let partners: BTreeSet<Kind> = mixed.iter().map(|step| step.kinds[1]).collect();
        for kind in [Kind::KillNode, Kind::PowerCut, Kind::KillAll] {
            assert!(partners.contains(&kind), "{kind} never: {partners:?}");
        }
    }
}
