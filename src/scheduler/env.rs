//! What a task can see: names bound to values, shared between tasks.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::artifact::{Artifact, Value};
use crate::model::name::ArtifactName;

/// How many links of one level may hang on each other before they become one.
const LONGEST_CHAIN: u32 = 16;

/// What a task can see: parameters and artifacts, by name.
///
/// A chain of links, each with the bindings that one task added; what was bound before is shared,
/// so that an element of a foreach costs its own bindings and nothing else. A link belongs to a
/// *level*, the number of splits and foreaches that are open. The links of one level are made one
/// when they become many, so that a loop of thousands of turns stays short, and those below are
/// left alone, so that the elements of a foreach go on to share them.
#[derive(Clone, PartialEq)]
pub struct Env {
    /// Sorted by name. None hides what the name meant before.
    own: Box<[(ArtifactName, Option<Value>)]>,
    parent: Option<Arc<Env>>,
    level: u32,
    /// How many links of this level there are from here on, this one included.
    links: u32,
}

impl Env {
    /// The parameters of a run.
    pub(super) fn root(parameters: &[Artifact]) -> Self {
        let bindings = parameters
            .iter()
            .map(|p| (p.name.clone(), Some(p.value.slim())));
        Self {
            own: sorted(bindings),
            parent: None,
            level: 0,
            links: 1,
        }
    }

    /// Exactly these values, as whoever executes a task elsewhere was told.
    pub fn of(values: impl IntoIterator<Item = (ArtifactName, Value)>) -> Self {
        let bindings = values.into_iter().map(|(name, value)| (name, Some(value)));
        Self {
            own: sorted(bindings),
            parent: None,
            level: 0,
            links: 1,
        }
    }

    /// `parent` with more bindings, in a task at `level`.
    pub(super) fn bind(
        parent: &Arc<Env>,
        level: usize,
        bindings: impl IntoIterator<Item = (ArtifactName, Option<Value>)>,
    ) -> Arc<Env> {
        let own = sorted(bindings);
        if own.is_empty() {
            return parent.clone();
        }
        let level = u32::try_from(level).expect("levels are at most MAX_DEPTH");
        let links = if parent.level == level {
            parent.links + 1
        } else {
            1
        };
        let parent = Some(parent.clone());
        let env = Env {
            own,
            parent,
            level,
            links,
        };
        Arc::new(if links > LONGEST_CHAIN {
            env.flattened()
        } else {
            env
        })
    }

    /// The same with all links of its level made one.
    fn flattened(self) -> Self {
        let below = match self.level {
            0 => None,
            level => self.chain().find(|link| link.level < level),
        };
        let mut own: BTreeMap<ArtifactName, Option<Value>> = BTreeMap::new();
        for (name, value) in self.above(below) {
            own.entry(name.clone()).or_insert_with(|| value.cloned());
        }
        let parent = self
            .links()
            .find(|(link, _)| below.is_some_and(|b| std::ptr::eq(*link, b)));
        let parent = parent.and_then(|(_, shared)| shared.cloned());
        Self {
            own: own.into_iter().collect(),
            parent,
            level: self.level,
            links: 1,
        }
    }

    fn chain(&self) -> impl Iterator<Item = &Env> {
        std::iter::successors(Some(self), |link| link.parent.as_deref())
    }

    fn links(&self) -> impl Iterator<Item = (&Env, Option<&Arc<Env>>)> {
        std::iter::successors(Some((self, None)), |(link, _)| {
            link.parent.as_ref().map(|parent| (&**parent, Some(parent)))
        })
    }

    /// The bindings of the links before `below`, the latest first; a name may come several times.
    fn above<'a>(
        &'a self,
        below: Option<&'a Env>,
    ) -> impl Iterator<Item = (&'a ArtifactName, Option<&'a Value>)> {
        self.chain()
            .take_while(move |link| !below.is_some_and(|below| std::ptr::eq(*link, below)))
            .flat_map(|link| link.own.iter().map(|(name, value)| (name, value.as_ref())))
    }

    /// What was bound or hidden since `base`, by name.
    pub(super) fn since<'a>(
        &'a self,
        base: &'a Env,
    ) -> BTreeMap<&'a ArtifactName, Option<&'a Value>> {
        let mut bound = BTreeMap::new();
        for (name, value) in self.above(Some(base)) {
            bound.entry(name).or_insert(value);
        }
        bound
    }

    /// The value of `name`; none when it was never written, or cannot be seen from here.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.chain().find_map(|link| {
            let at = link
                .own
                .binary_search_by(|(own, _)| own.as_str().cmp(name))
                .ok()?;
            Some(link.own[at].1.as_ref())
        })?
    }

    /// Everything that can be seen, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ArtifactName, &Value)> {
        let mut all = BTreeMap::new();
        for (name, value) in self.above(None) {
            all.entry(name).or_insert(value);
        }
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
    }

    /// How many links a look-up may have to go through.
    #[cfg(test)]
    pub(super) fn depth(&self) -> usize {
        self.chain().count()
    }

    /// The names of everything that can be seen, sorted.
    pub fn names(&self) -> impl Iterator<Item = &ArtifactName> {
        self.iter().map(|(name, _)| name)
    }
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| (name, value.digest)))
            .finish()
    }
}

fn sorted(
    bindings: impl IntoIterator<Item = (ArtifactName, Option<Value>)>,
) -> Box<[(ArtifactName, Option<Value>)]> {
    let mut own: Vec<_> = bindings.into_iter().collect();
    own.sort_by(|(a, _), (b, _)| a.cmp(b));
    own.dedup_by(|later, first| later.0 == first.0);
    own.into_boxed_slice()
}
