//! Columns for people: as wide as their widest cell, two spaces between.

use super::output::stdout_width;

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

    /// The table; without rows, `otherwise`. Where the terminal is too narrow for it, a block for each row.
    pub fn text_or(&self, otherwise: &str) -> String {
        self.text_within(stdout_width(), otherwise)
    }

    fn text_within(&self, columns: Option<usize>, otherwise: &str) -> String {
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
        let lines: Vec<String> = lines.collect();
        match columns {
            Some(columns) if lines.iter().any(|line| line.chars().count() > columns) => self.blocks(),
            _ => lines.join("\n"),
        }
    }

    /// The first cell, and below it the others that say something.
    fn blocks(&self) -> String {
        let width = self.heading.iter().skip(1).map(|word| word.len()).max().unwrap_or(0);
        let block = |row: &[String; N]| {
            let cells = self.heading.iter().zip(row).skip(1).filter(|(_, cell)| !cell.is_empty());
            let lines = cells.map(|(word, cell)| format!("  {word:width$}  {cell}"));
            std::iter::once(row[0].clone()).chain(lines).collect::<Vec<_>>().join("\n")
        };
        self.rows.iter().map(block).collect::<Vec<_>>().join("\n")
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let padded: Vec<String> =
        cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    padded.join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_too_wide_for_the_terminal_becomes_blocks() {
        let mut table = Table::new(["KEY", "STATE", "OWNER"]);
        table.row(["container/web-1".to_owned(), "running".to_owned(), "site edge".to_owned()]);
        table.row(["image/busybox".to_owned(), String::new(), "site edge".to_owned()]);
        let wide = "KEY              STATE    OWNER\ncontainer/web-1  running  site edge\nimage/busybox             site edge";
        assert_eq!(table.text_within(None, ""), wide);
        assert_eq!(table.text_within(Some(35), ""), wide);
        let narrow =
            "container/web-1\n  STATE  running\n  OWNER  site edge\nimage/busybox\n  OWNER  site edge";
        assert_eq!(table.text_within(Some(34), ""), narrow);
    }
}
