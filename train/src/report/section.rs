//! What a family has to show on the page of a run beside its figures: tables and drawings.

use std::fmt::Write as _;

use super::chart::escape;
use super::parity::{ParityPlot, histogram_svg, parity_svg};

/// A part of the page.
#[derive(Debug, Clone, PartialEq)]
pub enum Section {
    /// Rows under headings.
    Table {
        /// Over the table.
        title: String,
        /// Headings of the columns.
        columns: Vec<String>,
        /// Cells of every row.
        rows: Vec<Vec<String>>,
        /// A sentence under the table.
        note: String,
    },
    /// Predicted against reference values, each drawing beside its histogram of errors.
    Parity(Vec<ParityPlot>),
}

impl Section {
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Table { title, columns, rows, note } => {
                let _ = writeln!(
                    out,
                    "<section class=\"card\"><h2>{}</h2><table class=\"grid\">",
                    escape(title)
                );
                row("th", columns, out);
                for cells in rows {
                    row("td", cells, out);
                }
                let _ = writeln!(out, "</table><p>{}</p></section>", escape(note));
            }
            Self::Parity(plots) => {
                out.push_str("<div class=\"charts\">\n");
                for plot in plots {
                    drawing(plot, out);
                }
                out.push_str("</div>\n");
            }
        }
    }
}

fn row(cell: &str, texts: &[String], out: &mut String) {
    out.push_str("<tr>");
    for text in texts {
        let _ = write!(out, "<{cell}>{}</{cell}>", escape(text));
    }
    out.push_str("</tr>\n");
}

fn drawing(plot: &ParityPlot, out: &mut String) {
    let title = escape(&format!("{}, {}", plot.set, plot.quantity));
    let _ = write!(
        out,
        "<section class=\"card\"><h2>{title}</h2>\n{}{}</section>\n",
        parity_svg(plot),
        histogram_svg(&plot.errors, plot)
    );
}
