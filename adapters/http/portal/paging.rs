//! Long lists, a page at a time.

use maud::{Markup, html};

use crate::design::Look;

/// How many items a page shows.
const SHOWN: usize = 50;

/// The links to the other pages of a list.
pub(super) struct Paging {
    /// The page that is shown, from 1.
    page: usize,
    pages: usize,
}

/// The items of one page of a list. A page that does not exist is the nearest one that does.
pub(super) fn page_of<T>(items: &[T], page: Option<usize>) -> (&[T], Paging) {
    let pages = items.len().div_ceil(SHOWN).max(1);
    let page = page.unwrap_or(1).clamp(1, pages);
    let shown = items.chunks(SHOWN).nth(page - 1).unwrap_or_default();
    (shown, Paging { page, pages })
}

impl Paging {
    /// The links. `path` is the path of the list, with the parameters that stay. A list of one page has none.
    pub(super) fn links(&self, look: &Look, path: &str) -> Markup {
        let Self { page, pages } = *self;
        let joint = if path.contains('?') { '&' } else { '?' };
        let to = |page: usize| look.to(&format!("{path}{joint}page={page}"));
        let of = look.say("page-of", &[("page", &page.to_string()), ("pages", &pages.to_string())]);
        html! {
            @if pages > 1 {
                nav.pages aria-label=(of) {
                    @if page > 1 { a.button.quiet href=(to(page - 1)) rel="prev" { (look.t("page-previous")) } }
                    span.hint { (of) }
                    @if page < pages { a.button.quiet href=(to(page + 1)) rel="next" { (look.t("page-next")) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_on_one_page_and_every_page_that_is_asked_for_shows_some() {
        for count in [0, 1, 49, 50, 51, 100, 101, 1000] {
            let items: Vec<usize> = (0..count).collect();
            let pages = page_of(&items, None).1.pages;
            let all: Vec<usize> =
                (1..=pages).flat_map(|page| page_of(&items, Some(page)).0.to_vec()).collect();
            assert_eq!(all, items);
            for asked in [None, Some(0), Some(1), Some(pages + 1), Some(usize::MAX)] {
                let (shown, paging) = page_of(&items, asked);
                assert!(shown.len() <= SHOWN && (shown.is_empty() == items.is_empty()), "{count} {asked:?}");
                assert!((1..=pages).contains(&paging.page));
            }
        }
    }
}
