//! Decision regions of networks with two inputs, as SVG. The same regions give the same bytes.

use std::fmt::Write;

/// Cells of a panel in each direction.
pub(super) const CELLS: usize = 100;

/// Pixels of a panel's side, between panels, and above them for two lines of text.
const SIDE: usize = 170;
const GAP: usize = 12;
const HEAD: usize = 38;

/// Of regions: light, so that samples of the same class can be seen on them.
const REGIONS: [&str; 6] = ["#cfe0f3", "#f9d9b8", "#d3ecd0", "#eed3e8", "#f4efb6", "#d9d9d9"];
const SAMPLES: [&str; 6] = ["#1f5fa8", "#c9610a", "#2b7d2b", "#93307f", "#8a7d00", "#444444"];

/// A sample: where it lies, in cells from the upper left corner, and its class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) class: i64,
}

/// One square of a picture.
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) subtitle: String,
    /// The class of each cell, line by line from above; empty for none.
    pub(super) regions: Vec<i64>,
    pub(super) samples: Vec<Sample>,
}

/// Panels side by side.
pub(super) fn svg(panels: &[Panel]) -> String {
    let width = panels.len() * (SIDE + GAP) + GAP;
    let height = HEAD + SIDE + GAP;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    for (index, panel) in panels.iter().enumerate() {
        let left = GAP + index * (SIDE + GAP);
        let scale = SIDE as f64 / CELLS as f64;
        let _ = write!(
            text,
            "<text x=\"{left}\" y=\"16\" font-weight=\"bold\">{}</text>\n<text x=\"{left}\" y=\"31\">{}</text>\n\
             <g transform=\"translate({left} {HEAD}) scale({scale})\">\n",
            escaped(&panel.title),
            escaped(&panel.subtitle)
        );
        text.push_str(&shapes(panel));
        let _ = writeln!(
            text,
            "<path d=\"M0 0h{CELLS}v{CELLS}h-{CELLS}z\" fill=\"none\" stroke=\"#666666\" stroke-width=\".6\"/>\n</g>"
        );
    }
    text + "</svg>\n"
}

fn shapes(panel: &Panel) -> String {
    let mut text = String::new();
    for class in classes(panel.regions.iter().copied()) {
        let rectangles = rectangles(&panel.regions, class);
        let path: String = rectangles
            .iter()
            .map(|Rectangle { x, y, width, height }| format!("M{x} {y}h{width}v{height}h-{width}z"))
            .collect();
        let _ = writeln!(
            text,
            "<path d=\"{path}\" fill=\"{}\" shape-rendering=\"crispEdges\"/>",
            colour(&REGIONS, class)
        );
    }
    for class in classes(panel.samples.iter().map(|sample| sample.class)) {
        let of_class = panel.samples.iter().filter(|sample| sample.class == class);
        // A line of no length with round ends is a dot: all samples of a class are one short path.
        let path: String = of_class.map(|Sample { x, y, .. }| format!("M{x:.1} {y:.1}h0")).collect();
        let _ = writeln!(
            text,
            "<path d=\"{path}\" stroke=\"{}\" stroke-width=\"1.8\" stroke-linecap=\"round\"/>",
            colour(&SAMPLES, class)
        );
    }
    text
}

/// The classes that occur, in their order.
fn classes(all: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut classes: Vec<i64> = all.collect();
    classes.sort_unstable();
    classes.dedup();
    classes
}

fn colour(colours: &[&'static str; 6], class: i64) -> &'static str {
    usize::try_from(class.rem_euclid(6))
        .ok()
        .and_then(|index| colours.get(index))
        .copied()
        .unwrap_or("#000000")
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Rectangle {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

/// The cells of `class` as runs in each line, equal runs of lines below each other being one rectangle.
fn rectangles(regions: &[i64], class: i64) -> Vec<Rectangle> {
    let mut found: Vec<Rectangle> = Vec::new();
    for (y, line) in regions.chunks(CELLS).enumerate() {
        let mut x = 0;
        for run in line.chunk_by(|a, b| (*a == class) == (*b == class)) {
            if run.first() == Some(&class) {
                let width = run.len();
                let above = found
                    .iter_mut()
                    .find(|above| above.x == x && above.width == width && above.y + above.height == y);
                match above {
                    Some(above) => above.height += 1,
                    None => found.push(Rectangle { x, y, width, height: 1 }),
                }
            }
            x += run.len();
        }
    }
    found
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangles_cover_exactly_the_cells_of_their_class() {
        let class_of = |x: usize, y: usize| i64::from((x / 30 + y / 45) % 2 == 1) + i64::from(x + y > 150);
        let regions: Vec<i64> = (0..CELLS * CELLS).map(|cell| class_of(cell % CELLS, cell / CELLS)).collect();
        let mut covered = vec![-1; CELLS * CELLS];
        for class in classes(regions.iter().copied()) {
            for Rectangle { x, y, width, height } in rectangles(&regions, class) {
                for cell in (y..y + height).flat_map(|y| (x..x + width).map(move |x| y * CELLS + x)) {
                    assert_eq!(covered[cell], -1, "cell {cell} is covered twice");
                    covered[cell] = class;
                }
            }
        }
        assert_eq!(covered, regions);
    }

    #[test]
    fn equal_lines_become_one_rectangle() {
        let regions: Vec<i64> = (0..CELLS * CELLS).map(|cell| i64::from(cell % CELLS >= 60)).collect();
        assert_eq!(rectangles(&regions, 1), [Rectangle { x: 60, y: 0, width: 40, height: CELLS }]);
    }

    #[test]
    fn samples_and_titles_are_drawn() {
        let panel = Panel {
            title: "a < b".to_owned(),
            subtitle: "50.0 %".to_owned(),
            regions: Vec::new(),
            samples: vec![Sample { x: 1.25, y: 99.0, class: 1 }, Sample { x: 3.0, y: 4.0, class: 1 }],
        };
        let text = svg(&[panel]);
        assert!(text.contains(">a &lt; b</text>") && text.contains(">50.0 %</text>"), "{text}");
        assert!(text.contains("d=\"M1.2 99.0h0M3.0 4.0h0\" stroke=\"#c9610a\""), "{text}");
    }
}
