//! Plots as SVG.

use plotters::prelude::*;

use crate::curves::Point;

/// The width and the height in pixels of a panel without its legend.
const PANEL: (u32, u32) = (640, 440);

/// Colours that the colour-blind can tell apart, and that differ in greyscale (Okabe and Ito).
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(120, 120, 120)];

/// The colour of the line that marks an epoch.
const MARK: RGBColor = RGBColor(60, 60, 60);

/// The height of a line of the legend in pixels.
const LEGEND_LINE: i32 = 20;

/// The radius in pixels of the circle with the most rows. The areas of the other circles are in
/// proportion to their rows.
const MAX_RADIUS: f64 = 9.0;

/// The smallest visible radius in pixels.
const MIN_RADIUS: f64 = 2.0;

/// A line and the marks on it.
pub struct Curve {
    /// Its text in the legend; empty if it is the only curve.
    label: String,
    points: Vec<(f64, f64)>,
    marks: Marks,
}

/// The marks on the points of a line.
enum Marks {
    None,
    Dots,
    /// Circles that show the number of rows of each point.
    Bins(Vec<Weight>),
}

/// The rows that a point summarises.
#[derive(Clone, Copy, Debug)]
pub struct Weight {
    /// The number of rows, drawn as the circle's area.
    pub rows: usize,
    /// Whether there are few rows; if so, the circle is hollow.
    pub few: bool,
    /// The interval of y, drawn as a bar.
    pub interval: [f64; 2],
}

/// A pair of axes with some curves.
pub struct Panel<'a> {
    /// The label of the x axis.
    pub x: &'a str,
    /// The label of the y axis.
    pub y: &'a str,
    /// The last line of the legend; may be empty.
    pub note: &'a str,
    /// The epoch whose network was kept, which a line marks.
    pub mark: Option<usize>,
    /// The curves, at most as many as there are colours.
    pub curves: Vec<Curve>,
}

impl Panel<'_> {
    /// Returns the curves in the legend, with their colours.
    fn labelled(&self) -> impl Iterator<Item = (&Curve, RGBColor)> {
        self.curves.iter().zip(COLOURS).filter(|(curve, _)| !curve.label.is_empty())
    }

    /// The height of the legend in pixels.
    fn legend_height(&self) -> i32 {
        let others = usize::from(!self.note.is_empty()) + usize::from(self.mark.is_some());
        LEGEND_LINE * (self.labelled().count() + others) as i32
    }
}

impl Curve {
    /// A curve with a dot at each point.
    fn new(label: String, points: Vec<(f64, f64)>) -> Self {
        Self { label, points, marks: Marks::Dots }
    }

    /// A curve without dots.
    pub fn line(label: &str, points: Vec<(f64, f64)>) -> Self {
        Self { label: label.to_owned(), points, marks: Marks::None }
    }

    /// A curve with a circle for the rows of each point.
    pub fn bins(label: String, points: impl IntoIterator<Item = ((f64, f64), Weight)>) -> Self {
        let (points, weights) = points.into_iter().unzip();
        Self { label, points, marks: Marks::Bins(weights) }
    }

    /// The test error of a network in percent, where it was measured.
    pub fn test_error(name: &str, epochs: &[Point]) -> Self {
        let error = |point: &Point| Some(100.0 * point.test_error?);
        let curve = Self::over_epochs(String::new(), epochs, error);
        let end = curve.points.last().map(|(_, end)| format!("{name}: {end:.2} % at the end"));
        Self { label: end.unwrap_or_default(), ..curve }
    }

    /// A figure over the epochs in which it was measured.
    pub fn over_epochs(
        label: String,
        epochs: &[Point],
        figure: impl Fn(&Point) -> Option<f64>,
    ) -> Self {
        let point = |epoch: &Point| Some((epoch.epoch as f64, figure(epoch)?));
        Self::new(label, epochs.iter().filter_map(point).collect())
    }

    /// The rows of each point, if the marks show them.
    fn weights(&self) -> &[Weight] {
        match &self.marks {
            Marks::Bins(weights) => weights,
            Marks::None | Marks::Dots => &[],
        }
    }
}

/// Draws panels side by side and returns the text of the SVG file.
///
/// # Errors
/// The plotting library fails, which it does not in memory.
pub fn draw(title: &str, panels: &[Panel<'_>]) -> anyhow::Result<String> {
    let mut svg = String::new();
    let legend = panels.iter().map(Panel::legend_height).max().unwrap_or(0);
    let size = (PANEL.0 * panels.len() as u32, PANEL.1 + legend as u32);
    let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    draw_on(&area, title, panels)
        .map_err(|error| anyhow::anyhow!("cannot draw the plot: {error}"))?;
    drop(area);
    Ok(svg)
}

/// An error of the plotting library.
type Failure = Box<dyn std::error::Error>;

fn draw_on(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    title: &str,
    panels: &[Panel<'_>],
) -> Result<(), Failure> {
    area.fill(&WHITE)?;
    let body = area.titled(title, ("sans-serif", 20))?;
    for (part, panel) in body.split_evenly((1, panels.len())).iter().zip(panels) {
        draw_panel(part, panel)?;
    }
    area.present()?;
    Ok(())
}

fn draw_panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    panel: &Panel<'_>,
) -> Result<(), Failure> {
    // The legend is above the axes, where it cannot cover a point.
    let (legend, axes) = area.split_vertically(panel.legend_height());
    draw_legend(&legend, panel)?;
    let points = || panel.curves.iter().flat_map(|curve| &curve.points);
    let last = points().fold(1.0, |last: f64, point| last.max(point.0));
    let top = 1.05 * points().fold(f64::MIN_POSITIVE, |top: f64, point| top.max(point.1));
    let bottom = 1.05 * points().fold(0.0, |bottom: f64, point| bottom.min(point.1));
    let mut chart = ChartBuilder::on(&axes)
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(58)
        .build_cartesian_2d(0.0..last, bottom..top)?;
    chart
        .configure_mesh()
        .x_desc(panel.x)
        .y_desc(panel.y)
        .x_label_formatter(&|x| {
            if (x - x.round()).abs() < 1e-9 { format!("{x:.0}") } else { String::new() }
        })
        .label_style(("sans-serif", 13))
        .axis_desc_style(("sans-serif", 15))
        .light_line_style(TRANSPARENT)
        .draw()?;
    if let Some(epoch) = panel.mark {
        let line = [(epoch as f64, bottom), (epoch as f64, top)];
        chart.draw_series([PathElement::new(line, MARK.stroke_width(1))])?;
    }
    let max_rows = panel.curves.iter().flat_map(Curve::weights).map(|weight| weight.rows).max();
    for (curve, colour) in panel.curves.iter().zip(COLOURS) {
        let width = if curve.weights().is_empty() { 2 } else { 1 };
        let style = colour.stroke_width(width);
        chart.draw_series(LineSeries::new(curve.points.iter().copied(), style))?;
        // The dots also show a curve with a single point, which has no line.
        if let Marks::Dots = curve.marks {
            let dots = curve.points.iter().map(|&point| Circle::new(point, 3, colour.filled()));
            chart.draw_series(dots)?;
        }
        let weighed = || curve.points.iter().copied().zip(curve.weights());
        chart.draw_series(weighed().map(|((x, _), weight)| {
            let bar = weight.interval.map(|end| (x, end));
            PathElement::new(bar, colour.mix(0.5).stroke_width(2))
        }))?;
        let circle = |(point, weight): ((f64, f64), &Weight), style: ShapeStyle| {
            let part = weight.rows as f64 / max_rows.unwrap_or(1) as f64;
            Circle::new(point, (MAX_RADIUS * part.sqrt()).max(MIN_RADIUS).round() as i32, style)
        };
        chart.draw_series(weighed().map(|at| {
            let inside = if at.1.few { WHITE.filled() } else { colour.mix(0.7).filled() };
            circle(at, inside)
        }))?;
        chart.draw_series(weighed().map(|at| circle(at, style)))?;
    }
    Ok(())
}

fn draw_legend(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    panel: &Panel<'_>,
) -> Result<(), Failure> {
    let mut y = 0;
    for (curve, colour) in panel.labelled() {
        let stroke = [(70, y + 9), (94, y + 9)];
        area.draw(&PathElement::new(stroke, colour.stroke_width(2)))?;
        area.draw(&Text::new(curve.label.clone(), (102, y + 2), ("sans-serif", 15)))?;
        y += LEGEND_LINE;
    }
    if let Some(epoch) = panel.mark {
        let stroke = [(82, y + 1), (82, y + 17)];
        area.draw(&PathElement::new(stroke, MARK.stroke_width(1)))?;
        let text = format!("the network of epoch {epoch} was kept");
        area.draw(&Text::new(text, (102, y + 2), ("sans-serif", 15)))?;
        y += LEGEND_LINE;
    }
    if !panel.note.is_empty() {
        area.draw(&Text::new(panel.note.to_owned(), (70, y + 3), ("sans-serif", 13)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the numbers in an attribute of all elements of a kind.
    fn numbers(svg: &str, element: &str, attribute: &str) -> Vec<f64> {
        let value = |tag: &str| {
            let (_, rest) = tag.split_once(&format!(" {attribute}=\"")).unwrap();
            rest.split('"').next().unwrap().parse().unwrap()
        };
        svg.split(&format!("<{element}")).skip(1).map(value).collect()
    }

    #[test]
    fn no_point_is_hidden_and_the_areas_of_circles_show_their_rows() {
        let weight = |rows| Weight { rows, few: rows < 30, interval: [40.0, 60.0] };
        let points = [((0.0, 100.0), weight(1)), ((100.0, 100.0), weight(1600))];
        let bins = Curve::bins("bins".to_owned(), points);
        let middle = Curve::bins("middle".to_owned(), [((50.0, 50.0), weight(400))]);
        let curves = vec![bins, middle, Curve::line("line", vec![(0.0, 0.0), (100.0, 100.0)])];
        let svg =
            draw("title", &[Panel { x: "x", y: "y", note: "note", mark: None, curves }]).unwrap();

        // Each circle is drawn as its inside and its edge; with few rows, the inside is white.
        let mut radii = numbers(&svg, "circle", "r");
        radii.sort_by(f64::total_cmp);
        assert_eq!(radii, [2.0, 2.0, 5.0, 5.0, 9.0, 9.0]);
        let white =
            svg.split("<circle").skip(1).filter(|tag| tag.contains("fill=\"#FFFFFF\"")).count();
        assert_eq!(white, 1);
        // All of them lie below the last line of the legend.
        let circles = numbers(&svg, "circle", "cy");
        let texts = numbers(&svg, "text", "y");
        let contents: Vec<&str> =
            svg.split("<text").skip(1).map(|text| text.lines().nth(1).unwrap().trim()).collect();
        for label in ["bins", "middle", "line", "note"] {
            let at = contents.iter().position(|&text| text == label).unwrap();
            let bottom = texts[at] + f64::from(LEGEND_LINE);
            assert!(circles.iter().all(|&y| y - MAX_RADIUS > bottom - 1.0), "{label}: {circles:?}");
        }
    }

    #[test]
    fn the_epoch_that_was_kept_is_marked_across_the_whole_height() {
        let points = |factor: f64| (1..=4).map(|x| (f64::from(x), factor * f64::from(x))).collect();
        let panel = |mark, factor| {
            let curves = vec![Curve::new("loss".to_owned(), points(factor))];
            draw("title", &[Panel { x: "epoch", y: "y", note: "", mark, curves }]).unwrap()
        };
        // Some figures can be below 0.
        for factor in [1.0, -1.0] {
            let (marked, without) = (panel(Some(3), factor), panel(None, factor));
            let text = "the network of epoch 3 was kept";
            assert!(marked.contains(text) && !without.contains("was kept"));
            let colour = "stroke=\"#3C3C3C\"";
            assert!(!without.contains(colour));
            let lines: Vec<_> =
                marked.split("<polyline").skip(1).filter(|tag| tag.contains(colour)).collect();
            assert_eq!(lines.len(), 2, "one in the legend, one in the chart");
            let ends: Vec<Vec<f64>> = lines[1]
                .split("points=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .unwrap()
                .split_whitespace()
                .map(|point| point.split(',').map(|number| number.parse().unwrap()).collect())
                .collect();
            let dots = numbers(&marked, "circle", "cx");
            assert!(ends.iter().all(|end| end[0] == dots[2]), "{ends:?} {dots:?}");
            let heights = numbers(&marked, "circle", "cy");
            for y in heights {
                assert!(ends[0][1].min(ends[1][1]) <= y && y <= ends[0][1].max(ends[1][1]));
            }
        }
    }
}
