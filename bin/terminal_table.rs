//! Tables on a terminal: no wider than it, and without a word that is cut.

use std::fmt::Write;

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, Width};

use loquet_domain::values::plain_text::visible_lines;

/// The table as it is shown on a terminal of this width. If its words do not fit beside each other, its rows are shown one below
/// the other.
pub(crate) fn fitted(table: &Table, width: u16, has_colours: bool) -> String {
    let mut table = table.clone();
    if !wrap(&mut table, width) {
        return one_below_another(&table, has_colours);
    }
    let text = visible_lines(&table.to_string()).into_owned();
    match text.split_once('\n') {
        Some((head, rows)) if has_colours => format!("\u{1b}[1m{head}\u{1b}[0m\n{rows}\n"),
        _ => format!("{text}\n"),
    }
}

/// Wraps the cells of a table between words, so that it is no wider than this. Returns `false` if that can't be done: then a word
/// would have to be cut, and nobody could copy an id.
fn wrap(table: &mut Table, width: u16) -> bool {
    let longest = |cell: &str| cell.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
    let head = table.header().map(|head| head.cell_iter().map(|cell| longest(&cell.content())).collect());
    let mut least: Vec<usize> = head.unwrap_or_default();
    for row in table.row_iter() {
        for (least, cell) in least.iter_mut().zip(row.cell_iter()) {
            *least = longest(&cell.content()).max(*least);
        }
    }
    // Two spaces stand between the columns.
    if least.iter().map(|least| least + 2).sum::<usize>() > usize::from(width) {
        return false;
    }
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    for (column, least) in table.column_iter_mut().zip(least) {
        let least = u16::try_from(least + 2).unwrap_or(u16::MAX);
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
    }
    true
}

/// The rows of a table one below the other, with a line for each cell: a terminal is too narrow for the table.
fn one_below_another(table: &Table, has_colours: bool) -> String {
    let heads: Vec<String> =
        table.header().map(|head| head.cell_iter().map(Cell::content).collect()).unwrap_or_default();
    let widest = heads.iter().map(|head| head.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (n, row) in table.row_iter().enumerate() {
        text.push_str(if n > 0 { "\n" } else { "" });
        for (head, cell) in heads.iter().zip(row.cell_iter()) {
            let (begin, end) = if has_colours { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
            let value = visible_lines(&cell.content()).replace('\n', ", ");
            let _ = writeln!(text, "{begin}{head:<widest$}{end}  {value}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use comfy_table::TableStyle;

    const ID: &str = "0198c0de-0000-4000-8000-000000000000";

    fn listed() -> Table {
        let mut listed = Table::new();
        listed.load_style(TableStyle::new()).set_header(["ACCOUNT", "NAME", "CREATED"]);
        for column in listed.column_iter_mut() {
            column.set_padding((0, 2));
        }
        listed.add_row([ID, "Marie-Claire Vandenberghe de la Fontaine", "2026-11-20T07:37:51Z"]);
        listed.add_row([ID, "Jan", "2026-11-20T07:37:51Z"]);
        listed
    }

    #[test]
    fn no_word_is_cut_and_no_line_is_wider_than_the_terminal_if_the_words_fit() {
        let shown = fitted(&listed(), 80, false);
        assert!(shown.lines().all(|line| line.trim_end().chars().count() <= 80), "{shown}");
        assert_eq!(shown.matches(ID).count(), 2, "{shown}");
        assert!(shown.contains("Marie-Claire") && shown.lines().count() > 3, "the name is wrapped: {shown}");
    }

    #[test]
    fn on_a_narrow_terminal_the_rows_are_one_below_the_other() {
        let shown = fitted(&listed(), 60, false);
        let expected = format!("ACCOUNT  {ID}\nNAME     Jan\nCREATED  2026-11-20T07:37:51Z\n");
        assert!(shown.ends_with(&expected), "{shown}");
        assert_eq!(shown.lines().count(), 7, "{shown}");
    }
}
