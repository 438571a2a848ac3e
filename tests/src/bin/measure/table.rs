//! Figures, as a table that can go into a note.

/// Rows of text under a heading; the first row names the columns.
pub(crate) fn print(heading: &str, rows: &[Vec<String>]) {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    println!("\n{heading}\n");
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<_> = row
            .iter()
            .enumerate()
            .map(|(column, cell)| format!("{cell:<width$}", width = width(column)))
            .collect();
        println!("| {} |", cells.join(" | "));
        if number == 0 {
            let lines: Vec<_> = (0..row.len()).map(|column| "-".repeat(width(column))).collect();
            println!("| {} |", lines.join(" | "));
        }
    }
}

pub(crate) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Whether a requirement is kept.
pub(crate) fn verdict(kept: bool) -> &'static str {
    if kept { "kept" } else { "MISSED" }
}

/// The value below which so many percent of the values are; they need not be sorted.
pub(crate) fn percentile<T: Copy + Ord>(values: &mut [T], percent: usize) -> Option<T> {
    values.sort_unstable();
    let last = values.len().checked_sub(1)?;
    values.get((last * percent).div_ceil(100)).copied()
}
