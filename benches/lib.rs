//! What the benchmarks share: measuring two sides in turns, and printing the comparison.
//!
//! A time says something about the machine it was measured on. A ratio of two rates, measured in turns, says
//! something about the software. Nothing here asserts: each figure is printed beside its goal.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark is started by hand, and prints what it measured"
)]

pub mod append_load;
pub mod bare_postgres;
pub mod client;
pub mod constant;
pub mod history;
pub mod http_rates;
pub mod people;
pub mod program;
pub mod story;

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

pub use loquet_instructions::{Outcome, cores};

/// Several measurements of the same thing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The median. If the number of measurements is even, the mean of the middle two.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Summarises these measurements. Returns `None` if there are none.
    #[must_use]
    pub fn of(mut measured: Vec<f64>) -> Option<Self> {
        measured.sort_by(f64::total_cmp);
        let upper = *measured.get(measured.len() / 2)?;
        let lower = *measured.get((measured.len() - 1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), min: *measured.first()?, max: *measured.last()? })
    }
}

/// Prints with the given precision (`{:.2}`), or as whole numbers without one.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(0);
        write!(f, "{:.digits$} ({:.digits$} to {:.digits$})", self.median, self.min, self.max)
    }
}

/// Our rates and the bare limit's, measured in the same way.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// Our rates, a second.
    pub ours: Spread,
    /// The limit's rates, a second.
    pub limit: Spread,
    /// The ratio of ours to the limit's, in each round.
    pub ratio: Spread,
}

impl Comparison {
    /// Measures ours and the limit in turns. Each closure returns a rate, a second.
    ///
    /// # Errors
    /// The first error of either side.
    pub fn in_turns(
        rounds: u32,
        mut ours: impl FnMut() -> Outcome<f64>,
        mut limit: impl FnMut() -> Outcome<f64>,
    ) -> Outcome<Self> {
        let measured = (0..rounds).map(|_| Ok((ours()?, limit()?))).collect::<Outcome<Vec<_>>>()?;
        Self::of(&measured)
    }

    /// Summarises the measured rounds. Each holds our rate and the limit's.
    ///
    /// # Errors
    /// An error if nothing was measured.
    pub fn of(rounds: &[(f64, f64)]) -> Outcome<Self> {
        let spread = |figure: fn(&(f64, f64)) -> f64| {
            Spread::of(rounds.iter().map(figure).collect()).ok_or("nothing was measured")
        };
        Ok(Self {
            ours: spread(|round| round.0)?,
            limit: spread(|round| round.1)?,
            ratio: spread(|round| round.0 / round.1)?,
        })
    }
}

/// Returns a rate, a second, since `start`.
#[must_use]
pub fn rate_since(start: Instant, count: u32) -> f64 {
    f64::from(count) / start.elapsed().as_secs_f64()
}

/// Prints the machine and the way of measuring.
pub fn print_conditions(rounds: u32, window: Duration) {
    println!(
        "{} cores, {} {}; {rounds} rounds of {:.1} s a side, in turns; median (least to greatest)",
        cores(),
        std::env::consts::OS,
        std::env::consts::ARCH,
        window.as_secs_f64(),
    );
}

/// Prints the head of a table of comparisons.
pub fn print_head(what: &str, ours: &str, limit: &str) {
    print_cells(what, ours, limit, "ratio", "goal");
}

/// Prints a row of a table of comparisons. Leaves the goal out if there is none.
pub fn print_row(what: &str, comparison: &Comparison, goal: Option<f64>) {
    let verdict = goal.map_or_else(String::new, |goal| {
        let reached = if comparison.ratio.median >= goal { "reached" } else { "missed" };
        format!("{goal:.2} {reached}")
    });
    let Comparison { ours, limit, ratio } = comparison;
    print_cells(what, &format!("{ours}"), &format!("{limit}"), &format!("{ratio:.3}"), &verdict);
}

fn print_cells(what: &str, ours: &str, limit: &str, ratio: &str, goal: &str) {
    println!("{what:<14} {ours:>28} {limit:>28} {ratio:>24}   {goal}");
}

/// Returns the value after `--name` on the command line. Ignores other arguments, which are cargo's.
///
/// # Errors
/// An error if there is no value, or if it is of the wrong type.
#[expect(clippy::disallowed_methods, reason = "a benchmark is a program of its own")]
pub fn argument<T: FromStr>(name: &str) -> Outcome<Option<T>>
where
    T::Err: fmt::Display,
{
    let mut behind = std::env::args().skip_while(|given| given.as_str() != name);
    if behind.next().is_none() {
        return Ok(None);
    }
    let given = behind.next().ok_or_else(|| format!("{name} takes a value"))?;
    given.parse().map(Some).map_err(|error| format!("{name} {given}: {error}").into())
}

/// Waits on this thread. Use it only where the thread has nothing else to do.
#[expect(clippy::disallowed_methods, reason = "the one place of the benchmarks that waits")]
pub fn pause(how_long: Duration) {
    std::thread::sleep(how_long);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_of_an_even_number_the_mean_of_the_middle_two() {
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of(vec![4.0, 1.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Spread::of(Vec::new()), None);
    }

    #[test]
    fn each_round_is_compared_with_its_own_limit() {
        let mut rates = [1.0, 2.0, 4.0].into_iter();
        let mut limits = [2.0, 2.0, 2.0].into_iter();
        let next = |rate: Option<f64>| rate.ok_or_else(|| "no more".into());
        let compared = Comparison::in_turns(3, || next(rates.next()), || next(limits.next())).unwrap();
        assert_eq!(compared.ratio, Spread { median: 1.0, min: 0.5, max: 2.0 });
        assert!(Comparison::in_turns(1, || next(None), || Ok(1.0)).is_err());
    }
}
