//! Curves as SVG.

use plotters::prelude::*;

use crate::course::Epoch;

/// Width and height of a panel in pixels.
const PANEL: (u32, u32) = (640, 440);

/// Colours that are told apart in grey and by the colour-blind (Okabe and Ito).
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(120, 120, 120)];

/// A line.
pub struct Curve {
    /// What the legend says of it; empty where there is only one.
    label: String,
    points: Vec<(f64, f64)>,
}

/// What stands along the x axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Whole numbers.
    Whole,
    /// Parts of 100.
    Parts,
}

/// Axes with some lines.
pub struct Panel<'a> {
    /// What is along the x axis.
    pub x: &'a str,
    /// What the lines show.
    pub y: &'a str,
    /// The numbers of the x axis.
    pub axis: Axis,
    /// The lines, at most as many as there are colours.
    pub curves: Vec<Curve>,
}

impl Curve {
    /// Points, and what the legend says of them.
    pub fn new(label: String, points: Vec<(f64, f64)>) -> Self {
        Self { label, points }
    }

    /// Test error in percent, where it was measured; `name` is whose it is, and
    /// empty where there is only one.
    pub fn test_error(name: &str, epochs: &[Epoch]) -> Self {
        let point = |epoch: &Epoch| Some((epoch.epoch as f64, 100.0 * epoch.test_error?));
        let points: Vec<_> = epochs.iter().filter_map(point).collect();
        let label = match (name, points.last()) {
            ("", _) | (_, None) => String::new(),
            (name, Some((_, end))) => format!("{name}: {end:.2} % at the end"),
        };
        Self::new(label, points)
    }

    /// Mean loss of the thinned networks.
    pub fn train_loss(epochs: &[Epoch]) -> Self {
        let point = |epoch: &Epoch| (epoch.epoch as f64, epoch.train_loss);
        Self::new(String::new(), epochs.iter().map(point).collect())
    }
}

/// Panels side by side, as the text of an SVG file.
///
/// # Errors
/// None that a backend in memory gives.
pub fn draw(title: &str, panels: &[Panel<'_>]) -> anyhow::Result<String> {
    let mut svg = String::new();
    let size = (PANEL.0 * panels.len() as u32, PANEL.1);
    let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    draw_on(&area, title, panels).map_err(|error| anyhow::anyhow!("drawing: {error}"))?;
    drop(area);
    Ok(svg)
}

/// What can go wrong while drawing.
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
    let points = || panel.curves.iter().flat_map(|curve| &curve.points);
    let last = points().fold(1.0, |last: f64, point| last.max(point.0));
    let top = points().fold(f64::MIN_POSITIVE, |top: f64, point| top.max(point.1));
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(58)
        .build_cartesian_2d(0.0..last, 0.0..1.05 * top)?;
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
    for (curve, colour) in panel.curves.iter().zip(COLOURS) {
        let style = colour.stroke_width(2);
        let line = chart.draw_series(LineSeries::new(curve.points.iter().copied(), style))?;
        if !curve.label.is_empty() {
            line.label(&curve.label)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
        }
        // A single point makes no line.
        let dots = curve.points.iter().map(|&point| Circle::new(point, 3, colour.filled()));
        chart.draw_series(dots)?;
    }
    if panel.curves.iter().any(|curve| !curve.label.is_empty()) {
        // Errors fall; parts rise.
        let place = match panel.axis {
            Axis::Whole => SeriesLabelPosition::UpperRight,
            Axis::Parts => SeriesLabelPosition::UpperLeft,
        };
        chart
            .configure_series_labels()
            .position(place)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 15))
            .draw()?;
    }
    Ok(())
}
