//! Tables of text, for people: columns as wide as their widest cell.

use super::style::Style;

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// One cell: its text, and the text as it is painted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    width: usize,
    shown: String,
}

impl Cell {
    /// A cell whose painted form takes no more room than `plain`.
    pub fn painted(plain: &str, shown: String) -> Self {
        Self {
            width: plain.chars().count(),
            shown,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        let shown = text.into();
        Self {
            width: shown.chars().count(),
            shown,
        }
    }
}

/// A table with a head.
#[derive(Clone, Debug)]
pub struct Table {
    head: Vec<(&'static str, Align)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table of these columns and no rows.
    pub fn new(head: &[(&'static str, Align)]) -> Self {
        Self {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells that are missing at its end are empty.
    pub fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as lines, each with `indent` spaces before it and none behind.
    pub fn render(&self, style: &Style, indent: usize) -> String {
        let head: Vec<Cell> = self
            .head
            .iter()
            .map(|(name, _)| Cell::painted(name, style.heading(name)))
            .collect();
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                let cells = std::iter::once(&head).chain(&self.rows);
                cells
                    .filter_map(|row| row.get(column))
                    .map(|cell| cell.width)
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for row in std::iter::once(&head).chain(&self.rows) {
            text.push_str(&self.line(row, &widths, indent));
            text.push('\n');
        }
        text
    }

    fn line(&self, row: &[Cell], widths: &[usize], indent: usize) -> String {
        let mut line = " ".repeat(indent);
        for (column, cell) in row.iter().enumerate() {
            if column > 0 {
                line.push_str("  ");
            }
            let pad = " ".repeat(widths[column].saturating_sub(cell.width));
            match self.head[column].1 {
                Align::Left => {
                    line.push_str(&cell.shown);
                    line.push_str(&pad);
                }
                Align::Right => {
                    line.push_str(&pad);
                    line.push_str(&cell.shown);
                }
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&[("step", Align::Left), ("tasks", Align::Right)]);
        table.row(["start".into(), "1".into()]);
        table.row(["évaluer".into(), "10000".into()]);
        insta::assert_snapshot!(table.render(&Style::plain(), 2), @r"
          step     tasks
          start        1
          évaluer  10000
        ");
    }

    #[test]
    fn colours_take_no_room() {
        let mut table = Table::new(&[("a", Align::Left), ("b", Align::Left)]);
        table.row([Cell::painted("x", Style::new(true).failed("x")), "y".into()]);
        table.row(["long".into(), "z".into()]);
        let text = table.render(&Style::plain(), 0);
        assert_eq!(text, "a     b\n\u{1b}[31mx\u{1b}[0m     y\nlong  z\n");
    }
}
