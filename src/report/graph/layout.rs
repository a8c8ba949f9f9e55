//! Places the steps of a flow on layers: where each box stands, and through where each edge goes.
//!
//! Layered drawing after Sugiyama, Tagawa and Toda (1981): a step stands one layer below the lowest
//! step before it; edges that skip layers pass them at points of their own; layers are ordered by
//! the average position of their neighbours, and moved towards it as far as there is room. All in
//! whole numbers, so that a flow has one picture everywhere.

use super::{leads_back, reading_order, ways};
use crate::model::graph::{FlowGraph, StepIx};

const GAP_X: i64 = 36;
/// From the top of one layer to the top of the next.
pub(super) const LAYER: i64 = 104;
const SWEEPS: usize = 6;
/// With more points than this, long edges are drawn straight instead.
const MOST_POINTS: usize = 50_000;

/// A box of a step, or a point where an edge passes a layer.
#[derive(Clone, Debug)]
struct Spot {
    width: i64,
    /// The middle.
    x: i64,
    above: Vec<usize>,
    below: Vec<usize>,
}

/// An edge: from, to, what is written on it, and the points between.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) from: StepIx,
    pub(super) to: StepIx,
    pub(super) label: String,
    pub(super) back: bool,
    /// Middle and layer of each point that it goes through.
    pub(super) points: Vec<(i64, i64)>,
}

/// Where everything stands.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The middle and the layer of every step.
    pub(super) at: Vec<(i64, i64)>,
    pub(super) lines: Vec<Line>,
    pub(super) width: i64,
    pub(super) layers: i64,
}

/// Places all steps; `widths` are those of their boxes.
pub(super) fn place(graph: &FlowGraph, widths: &[i64]) -> Layout {
    let depth = depths(graph);
    let count = depth.iter().max().map_or(0, |deepest| deepest + 1);
    let mut plan = Plan::new(widths, &depth, count);
    let mut lines = Vec::new();
    for (step, from) in graph.steps().iter().zip((0..).map(StepIx)) {
        for (to, label) in ways(step) {
            let back = leads_back(graph, from, to);
            let spots = if back {
                Vec::new()
            } else {
                plan.connect(from, to, &depth)
            };
            lines.push((from, to, label, back, spots));
        }
    }
    for sweep in 0..SWEEPS {
        plan.sort(sweep % 2 == 0);
    }
    plan.pack();
    for sweep in 0..SWEEPS {
        plan.settle(sweep % 2 == 0);
    }
    plan.finish(lines, &depth)
}

/// The layer of every step: the most steps on a way to it.
fn depths(graph: &FlowGraph) -> Vec<usize> {
    let mut depth = vec![0; graph.steps().len()];
    for from in reading_order(graph) {
        for to in graph.step(from).edge.targets() {
            if !leads_back(graph, from, to) {
                depth[to.index()] = depth[to.index()].max(depth[from.index()] + 1);
            }
        }
    }
    depth
}

struct Plan {
    spots: Vec<Spot>,
    layers: Vec<Vec<usize>>,
    steps: usize,
}

impl Plan {
    fn new(widths: &[i64], depth: &[usize], count: usize) -> Self {
        let spot = |width: &i64| Spot {
            width: *width,
            x: 0,
            above: vec![],
            below: vec![],
        };
        let mut layers = vec![Vec::new(); count];
        depth
            .iter()
            .enumerate()
            .for_each(|(step, layer)| layers[*layer].push(step));
        Self {
            spots: widths.iter().map(spot).collect(),
            layers,
            steps: widths.len(),
        }
    }

    /// Connects two steps, through a point on every layer between them.
    fn connect(&mut self, from: StepIx, to: StepIx, depth: &[usize]) -> Vec<usize> {
        let mut last = from.index();
        let mut points = Vec::new();
        let between = depth[from.index()] + 1..depth[to.index()];
        if self.spots.len() - self.steps + between.len() <= MOST_POINTS {
            for layer in between {
                let point = self.spots.len();
                self.spots.push(Spot {
                    width: 0,
                    x: 0,
                    above: vec![last],
                    below: vec![],
                });
                self.spots[last].below.push(point);
                self.layers[layer].push(point);
                points.push(point);
                last = point;
            }
        }
        self.spots[last].below.push(to.index());
        self.spots[to.index()].above.push(last);
        points
    }

    /// Orders every layer by the average position of its neighbours above, or below.
    fn sort(&mut self, down: bool) {
        let mut position = vec![0_i64; self.spots.len()];
        for layer in &self.layers {
            layer
                .iter()
                .zip(0..)
                .for_each(|(spot, i)| position[*spot] = i);
        }
        let count = self.layers.len();
        for k in 0..count {
            let k = if down { k } else { count - 1 - k };
            let mut layer = std::mem::take(&mut self.layers[k]);
            layer.sort_by_key(|spot| {
                let near = self.neighbours(*spot, down);
                let sum: i64 = near.iter().map(|other| position[*other]).sum();
                match i64::try_from(near.len()) {
                    Ok(count) if count > 0 => sum * 1024 / count,
                    _ => position[*spot] * 1024,
                }
            });
            layer
                .iter()
                .zip(0..)
                .for_each(|(spot, i)| position[*spot] = i);
            self.layers[k] = layer;
        }
    }

    fn neighbours(&self, spot: usize, above: bool) -> &[usize] {
        if above {
            &self.spots[spot].above
        } else {
            &self.spots[spot].below
        }
    }

    /// How far apart the middles of two neighbours on a layer must be.
    fn apart(&self, left: usize, right: usize) -> i64 {
        (self.spots[left].width + self.spots[right].width) / 2 + GAP_X
    }

    /// Stands the spots of every layer side by side, around the middle.
    fn pack(&mut self) {
        for k in 0..self.layers.len() {
            let layer = self.layers[k].clone();
            let wanted = vec![0; layer.len()];
            self.stand(&layer, &wanted);
        }
    }

    /// Moves every spot towards its neighbours.
    fn settle(&mut self, down: bool) {
        let count = self.layers.len();
        for k in 0..count {
            let layer = self.layers[if down { k } else { count - 1 - k }].clone();
            let wanted: Vec<i64> = layer
                .iter()
                .map(|spot| {
                    let near = self.neighbours(*spot, down);
                    let sum: i64 = near.iter().map(|other| self.spots[*other].x).sum();
                    match i64::try_from(near.len()) {
                        Ok(count) if count > 0 => sum / count,
                        _ => self.spots[*spot].x,
                    }
                })
                .collect();
            self.stand(&layer, &wanted);
        }
    }

    /// Stands a layer where it is wanted, as far as there is room: neighbours that are too close
    /// become a block, which stands where its members want to on average.
    fn stand(&mut self, layer: &[usize], wanted: &[i64]) {
        // Of each block: the sum of where its members want its beginning, their number, the first.
        let mut blocks: Vec<(i64, i64, usize)> = Vec::new();
        let mut offset = vec![0_i64; layer.len()];
        for i in 0..layer.len() {
            if i > 0 {
                offset[i] = offset[i - 1] + self.apart(layer[i - 1], layer[i]);
            }
            blocks.push((wanted[i] - offset[i], 1, i));
            while let [.., (sum, count, _), (last, members, _)] = blocks.as_slice() {
                if sum.div_euclid(*count) <= last.div_euclid(*members) {
                    break;
                }
                let (last, members, _) = blocks.pop().expect("there are two");
                let block = blocks.last_mut().expect("there was another");
                block.0 += last;
                block.1 += members;
            }
        }
        for (b, (sum, count, first)) in blocks.iter().enumerate() {
            let end = blocks.get(b + 1).map_or(layer.len(), |next| next.2);
            for i in *first..end {
                self.spots[layer[i]].x = sum.div_euclid(*count) + offset[i];
            }
        }
    }

    fn finish(
        self,
        lines: Vec<(StepIx, StepIx, String, bool, Vec<usize>)>,
        depth: &[usize],
    ) -> Layout {
        let left = self
            .spots
            .iter()
            .map(|spot| spot.x - spot.width / 2)
            .min()
            .unwrap_or(0);
        let right = self
            .spots
            .iter()
            .map(|spot| spot.x + spot.width / 2)
            .max()
            .unwrap_or(0);
        let layer = |k: usize| i64::try_from(k).expect("layers are at most as many as steps");
        let point = |spot: usize, k: usize| (self.spots[spot].x - left, layer(k));
        let lines = lines.into_iter().map(|(from, to, label, back, spots)| {
            let first = depth[from.index()] + 1;
            let points = spots
                .into_iter()
                .zip(first..)
                .map(|(spot, k)| point(spot, k))
                .collect();
            Line {
                from,
                to,
                label,
                back,
                points,
            }
        });
        Layout {
            at: depth
                .iter()
                .enumerate()
                .map(|(step, k)| point(step, *k))
                .collect(),
            lines: lines.collect(),
            width: right - left,
            layers: layer(self.layers.len()),
        }
    }
}
