//! A bar chart as SVG: a bar for each row, as long as its median, with a line from its least to its
//! most.

use std::fmt::Write as _;

use super::rounds::Spread;

const LEFT: f64 = 150.0;
const WIDTH: f64 = 420.0;
const RIGHT: f64 = 190.0;
const ROW: f64 = 28.0;
const TOP: f64 = 40.0;

/// A bar, and what is written behind it.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) spread: Spread,
    pub(super) note: String,
}

/// Of one unit, which the title names. Colours follow the reader's preference for light or dark.
pub(super) fn bars(title: &str, bars: &[Bar]) -> String {
    let most = bars.iter().map(|bar| bar.spread.max).fold(0.0, f64::max);
    let scale = if most > 0.0 { WIDTH / most } else { 0.0 };
    let width = LEFT + WIDTH + RIGHT;
    let mut svg = String::new();
    let mut rows = String::new();
    let mut y = TOP;
    for bar in bars {
        row(&mut rows, bar, (y, scale)).unwrap_or(());
        y += ROW;
    }
    let height = y + 10.0;
    let title = escaped(title);
    // Writing into a string cannot fail.
    write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-label=\"{title}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <style>text{{fill:#24292f}}.bar{{fill:#2f81c7}}.range{{stroke:#24292f;stroke-width:1.5}}\
         @media(prefers-color-scheme:dark){{text{{fill:#e6edf3}}\
         .range{{stroke:#e6edf3}}}}</style>\n\
         <text x=\"8\" y=\"22\" font-weight=\"bold\">{title}</text>\n{rows}</svg>\n"
    )
    .unwrap_or(());
    svg
}

fn row(rows: &mut String, bar: &Bar, (y, scale): (f64, f64)) -> std::fmt::Result {
    let Spread { median, min, max } = bar.spread;
    let (text, middle) = (y + 15.0, y + 10.0);
    let (name, note) = (escaped(&bar.name), escaped(&bar.note));
    writeln!(rows, "<text x=\"8\" y=\"{text}\">{name}</text>")?;
    let long = median * scale;
    writeln!(
        rows,
        "<rect class=\"bar\" x=\"{LEFT}\" y=\"{y}\" width=\"{long:.1}\" height=\"20\"/>"
    )?;
    let (from, to) = (LEFT + min * scale, LEFT + max * scale);
    writeln!(
        rows,
        "<line class=\"range\" x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{middle}\" y2=\"{middle}\"/>"
    )?;
    let behind = LEFT + max * scale + 8.0;
    writeln!(rows, "<text x=\"{behind:.1}\" y=\"{text}\">{note}</text>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(name: &str, (min, median, max): (f64, f64, f64)) -> Bar {
        Bar {
            name: name.to_owned(),
            spread: Spread { median, min, max },
            note: format!("{median:.0}/s"),
        }
    }

    #[test]
    fn the_longest_bar_fills_the_width_and_others_are_in_proportion() {
        let svg = bars(
            "a <b>",
            &[
                bar("one", (100.0, 100.0, 100.0)),
                bar("half", (25.0, 50.0, 75.0)),
            ],
        );
        assert!(svg.contains("width=\"420.0\""), "{svg}");
        assert!(svg.contains("width=\"210.0\""), "{svg}");
        assert!(svg.contains("x1=\"255.0\" x2=\"465.0\""), "{svg}");
        assert!(svg.contains("a &lt;b>"), "{svg}");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        let svg = bars("empty", &[]);
        assert!(!svg.contains("<rect"), "{svg}");
        assert!(svg.ends_with("</svg>\n"), "{svg}");
    }
}
