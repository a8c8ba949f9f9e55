//! A scatter plot in SVG: body mass by flipper length, a colour and a shape for each group.

use wrun_sdk::prelude::*;

use crate::data::Group;
use crate::statistics::Summary;

const WIDTH: f64 = 840.0;
const HEIGHT: f64 = 540.0;
/// The plot itself, without titles and labels: left, top, right, bottom.
const PLOT: [f64; 4] = [78.0, 84.0, 816.0, 474.0];
/// Colours that also those tell apart who see few; groups beyond them begin again.
const COLORS: [&str; 5] = ["#e07b00", "#8e3fb5", "#00857d", "#2f6fb0", "#b3314f"];

/// Draws every penguin of `groups`, with the line of each of `summaries`, which belong to them.
pub(crate) fn scatter(groups: &[Group], summaries: &[Summary]) -> String {
    let points: Vec<_> = groups.iter().flat_map(Group::points).collect();
    let x = Axis::over(points.iter().map(|point| point.0), PLOT[0], PLOT[2]);
    let y = Axis::over(points.iter().map(|point| point.1), PLOT[3], PLOT[1]);
    let mut svg = frame(points.len());
    svg += &grid(&x, &y);
    for (index, group) in groups.iter().enumerate() {
        svg += &dots(index, group, &x, &y);
    }
    for (index, (group, summary)) in groups.iter().zip(summaries).enumerate() {
        svg += &line(index, group, summary, &x, &y);
    }
    svg += &legend(summaries);
    svg += "</svg>\n";
    svg
}

/// Values and where they are drawn.
struct Axis {
    ticks: Vec<f64>,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// An axis from `from` to `to` on which all values have a place, with round numbers as ticks.
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let step = round_step((high - low) / 6.0);
        let (first, last) = (
            (low / step).floor(),
            (high / step).ceil().max((low / step).floor() + 1.0),
        );
        let ticks = (0..=(last - first) as u32)
            .map(|n| (first + f64::from(n)) * step)
            .collect();
        Self {
            ticks,
            low: first * step,
            high: last * step,
            from,
            to,
        }
    }

    fn place(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }
}

/// The smallest of 1, 2, 5, 10, 20, 50 … that is not below `step`; 1 when all values are equal.
fn round_step(step: f64) -> f64 {
    if step <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powi(step.log10().floor() as i32);
    let factors = [1.0, 2.0, 5.0, 10.0].into_iter();
    factors
        .map(|factor| factor * power)
        .find(|&round| round >= step * 0.999)
        .unwrap_or(step)
}

fn frame(penguins: usize) -> String {
    let [left, ..] = PLOT;
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="Body mass by flipper length" font-family="system-ui, 'Segoe UI', Helvetica, Arial, sans-serif">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="{left}" y="38" font-size="21" font-weight="600" fill="#1c2430">Body mass by flipper length</text>
<text x="{left}" y="61" font-size="13.5" fill="#667080">{penguins} penguins, and for each group the line of least squares</text>
"##
    )
}

fn grid(x: &Axis, y: &Axis) -> String {
    let [left, top, right, bottom] = PLOT;
    let mut svg = String::from("<g stroke=\"#e6e9ee\">\n");
    for at in x.ticks.iter().map(|&tick| x.place(tick)) {
        svg += &format!("<path d=\"M{at:.1} {top}V{bottom}\"/>\n");
    }
    for at in y.ticks.iter().map(|&tick| y.place(tick)) {
        svg += &format!("<path d=\"M{left} {at:.1}H{right}\"/>\n");
    }
    svg += "</g>\n<g font-size=\"12.5\" fill=\"#667080\">\n";
    for &tick in &x.ticks {
        let (at, below) = (x.place(tick), bottom + 21.0);
        svg += &format!("<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{tick}</text>\n");
    }
    for &tick in &y.ticks {
        let (at, beside) = (y.place(tick) + 4.5, left - 10.0);
        svg += &format!("<text x=\"{beside}\" y=\"{at:.1}\" text-anchor=\"end\">{tick}</text>\n");
    }
    let (middle_x, middle_y) = ((left + right) / 2.0, (top + bottom) / 2.0);
    svg += &format!(
        r##"</g>
<g font-size="14" fill="#1c2430" text-anchor="middle">
<text x="{middle_x}" y="520">flipper length, mm</text>
<text transform="translate(24 {middle_y}) rotate(-90)">body mass, g</text>
</g>
"##
    );
    svg
}

fn color(index: usize) -> &'static str {
    COLORS[index % COLORS.len()]
}

/// A mark around 0, 0: groups differ in shape as well as in colour.
fn mark(index: usize) -> &'static str {
    match index % 4 {
        0 => "M-4.4 0a4.4 4.4 0 1 0 8.8 0a4.4 4.4 0 1 0 -8.8 0z",
        1 => "M0 -5.2L4.9 3.6H-4.9z",
        2 => "M-3.9 -3.9H3.9V3.9H-3.9z",
        _ => "M0 -5.4L5 0L0 5.4L-5 0z",
    }
}

fn dots(index: usize, group: &Group, x: &Axis, y: &Axis) -> String {
    let color = color(index);
    let mut svg = format!(
        "<g fill=\"{color}\" fill-opacity=\"0.62\" stroke=\"#ffffff\" stroke-width=\"0.8\">\n"
    );
    for penguin in &group.penguins {
        let Some((flipper, mass)) = penguin.point() else {
            continue;
        };
        let text = Report::escape(format_args!(
            "{}, {}, {}: {flipper} mm, {mass} g",
            penguin.species, penguin.island, penguin.sex
        ));
        svg += &format!(
            "<path transform=\"translate({:.1} {:.1})\" d=\"{}\"><title>{text}</title></path>\n",
            x.place(flipper),
            y.place(mass),
            mark(index)
        );
    }
    svg + "</g>\n"
}

/// The line of a group, as far as its penguins reach.
fn line(index: usize, group: &Group, summary: &Summary, x: &Axis, y: &Axis) -> String {
    let Some(line) = summary.mass_by_flipper else {
        return String::new();
    };
    let flippers = || {
        group
            .penguins
            .iter()
            .filter_map(|penguin| penguin.flipper_mm)
    };
    let (low, high) = (
        flippers().fold(f64::INFINITY, f64::min),
        flippers().fold(0.0, f64::max),
    );
    let path = format!(
        "M{:.1} {:.1}L{:.1} {:.1}",
        x.place(low),
        y.place(line.at(low)),
        x.place(high),
        y.place(line.at(high))
    );
    let color = color(index);
    format!(
        "<path d=\"{path}\" stroke=\"#ffffff\" stroke-width=\"5\" stroke-linecap=\"round\"/>\n\
         <path d=\"{path}\" stroke=\"{color}\" stroke-width=\"2.6\" stroke-linecap=\"round\"/>\n"
    )
}

fn legend(summaries: &[Summary]) -> String {
    let [left, top, ..] = PLOT;
    let height = 20.0 + 22.0 * summaries.len() as f64;
    let mut svg = format!(
        "<g transform=\"translate({} {})\" font-size=\"13.5\" fill=\"#1c2430\">\n\
         <rect width=\"318\" height=\"{height}\" rx=\"6\" fill=\"#ffffff\" fill-opacity=\"0.92\" stroke=\"#d5dae2\"/>\n",
        left + 14.0,
        top + 12.0,
    );
    for (index, summary) in summaries.iter().enumerate() {
        let at = 25.0 + 22.0 * index as f64;
        let slope = summary.mass_by_flipper.map_or_else(
            || "–".to_owned(),
            |line| format!("{:+.0} g per mm, R² {:.2}", line.slope, line.r_squared),
        );
        svg += &format!(
            "<path transform=\"translate(20 {:.1})\" d=\"{}\" fill=\"{}\"/>\n\
             <text x=\"34\" y=\"{at:.1}\">{} <tspan fill=\"#667080\">({})</tspan></text>\n\
             <text x=\"304\" y=\"{at:.1}\" text-anchor=\"end\" fill=\"#667080\">{slope}</text>\n",
            at - 4.5,
            mark(index),
            color(index),
            Report::escape(&summary.group),
            summary.penguins,
        );
    }
    svg + "</g>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_hold_all_values() {
        let axis = Axis::over([172.0, 231.0].into_iter(), 0.0, 100.0);
        assert_eq!(
            axis.ticks,
            [170.0, 180.0, 190.0, 200.0, 210.0, 220.0, 230.0, 240.0]
        );
        assert_eq!((axis.place(170.0), axis.place(240.0)), (0.0, 100.0));
    }

    #[test]
    fn a_single_value_has_a_place() {
        let axis = Axis::over([190.0].into_iter(), 0.0, 100.0);
        assert_eq!((axis.place(190.0), axis.ticks.len()), (0.0, 2));
    }

    #[test]
    fn steps_are_one_two_or_five() {
        let rounded: Vec<_> = [0.9, 1.1, 3.0, 9.8, 600.0, 0.03].map(round_step).into();
        assert_eq!(rounded, [1.0, 2.0, 5.0, 10.0, 1000.0, 0.05]);
    }
}
