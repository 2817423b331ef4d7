//! Columns for people: as wide as their widest cell, two spaces between.

/// Rows below a heading.
pub struct Table<const N: usize> {
    heading: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub fn new(heading: [&'static str; N]) -> Table<N> {
        Table { heading, rows: vec![] }
    }

    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// The table; without rows, `otherwise`.
    pub fn text_or(&self, otherwise: &str) -> String {
        if self.rows.is_empty() {
            return otherwise.to_owned();
        }
        let mut widths = self.heading.map(|word| word.chars().count());
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let heading = self.heading.map(str::to_owned);
        let lines = std::iter::once(&heading).chain(&self.rows).map(|row| line(row, &widths));
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let padded: Vec<String> =
        cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    padded.join("  ").trim_end().to_owned()
}
