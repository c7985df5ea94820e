//! What may go wrong in one run. Not everything does in each: many bugs need that something else does not.

use std::cell::Cell;
use std::collections::BTreeSet;

use crate::faults::Fault;
use crate::random::Random;

/// The faults of a run.
#[derive(Debug)]
pub(crate) struct Weather {
    faults: BTreeSet<Fault>,
    strength: f64,
    calm: Cell<bool>,
}

impl Weather {
    pub(crate) fn of(random: &mut Random) -> Self {
        let rough = random.chance(0.7);
        let share = if rough { 0.6 } else { 0.25 };
        Self {
            faults: Fault::ALL.iter().copied().filter(|_| random.chance(share)).collect(),
            strength: *random.one_of(&[0.5, 1.0, 1.0, 2.0, 4.0]),
            calm: Cell::new(false),
        }
    }

    /// Nothing goes wrong from now on.
    pub(crate) fn calm_down(&self) {
        self.calm.set(true);
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.get()
    }

    pub(crate) fn allows(&self, fault: Fault) -> bool {
        !self.calm.get() && self.faults.contains(&fault)
    }

    pub(crate) fn strength(&self) -> f64 {
        self.strength
    }
}
