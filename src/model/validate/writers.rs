//! A small set of steps that is copied freely.

use crate::model::graph::StepIx;

const MOST: usize = 8;

/// The steps that may have written an artifact: the first few, and whether there are more.
///
/// A fixed size keeps the checks linear also for a flow that was made to be slow to check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Writers {
    steps: [StepIx; MOST],
    len: u8,
    cut: bool,
}

impl Writers {
    pub(super) fn one(step: StepIx) -> Self {
        let mut writers = Self::default();
        writers.add(step);
        writers
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether there are more than are listed.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = StepIx> + use<> {
        self.steps.into_iter().take(usize::from(self.len))
    }

    pub(super) fn union(mut self, other: Writers) -> Writers {
        other.iter().for_each(|step| self.add(step));
        self.cut |= other.cut;
        self
    }

    /// Keeps the steps sorted, and of too many the first, so that the order of adding is no matter.
    fn add(&mut self, step: StepIx) {
        let len = usize::from(self.len);
        let at = self.steps[..len].partition_point(|other| *other < step);
        if at < len && self.steps[at] == step {
            return;
        }
        if len == MOST {
            self.cut = true;
            if at == MOST {
                return;
            }
        } else {
            self.len += 1;
        }
        let end = usize::from(self.len);
        self.steps.copy_within(at..end - 1, at + 1);
        self.steps[at] = step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_few_are_kept_in_any_order() {
        let set = |steps: &[u16]| {
            let all = steps.iter().map(|step| Writers::one(StepIx(*step)));
            all.fold(Writers::default(), Writers::union)
        };
        let up = set(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let down = set(&[10, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1]);
        assert_eq!(up, down);
        assert_eq!(
            up.iter().map(|step| step.0).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6, 7, 8]
        );
        assert!(up.is_cut() && !set(&[1, 2, 3, 4, 5, 6, 7, 8]).is_cut());
    }
}
