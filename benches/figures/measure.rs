//! Medians of interleaved samples, and the table made of them.

use anyhow::{Context, Result};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// One way to do a work: prepares, answers how long the work itself took, clears away.
pub struct Side<'a> {
    pub name: String,
    sample: Box<dyn FnMut() -> Result<f64> + 'a>,
}

impl<'a> Side<'a> {
    /// Answers milliseconds.
    pub fn timed(name: &str, mut sample: impl FnMut() -> Result<Duration> + 'a) -> Side<'a> {
        let sample = move || sample().map(|time| time.as_secs_f64() * 1000.0);
        Side { name: name.to_owned(), sample: Box::new(sample) }
    }
}

/// What one side gave.
#[derive(Debug, Clone)]
pub struct Samples {
    pub name: String,
    sorted: Vec<f64>,
}

impl Samples {
    pub fn new(name: &str, mut values: Vec<f64>) -> Samples {
        values.sort_by(f64::total_cmp);
        Samples { name: name.to_owned(), sorted: values }
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Between the two nearest ranks.
    fn quantile(&self, at: f64) -> f64 {
        let position = at * (self.sorted.len().saturating_sub(1)) as f64;
        let value = |index: usize| self.sorted.get(index).copied().unwrap_or(f64::NAN);
        let (below, above) = (value(position.floor() as usize), value(position.ceil() as usize));
        below + (above - below) * position.fract()
    }

    fn spread(&self) -> String {
        format!("{}–{}", number(self.quantile(0.25)), number(self.quantile(0.75)))
    }
}

/// Before each sample: what the side before left to the kernel (namespaces, cgroups) is over then.
const PAUSE: Duration = Duration::from_millis(40);

/// One unmeasured round, then `rounds` measured ones. Every round has every side, each time in another order.
pub fn interleave(rounds: usize, sides: &mut [Side<'_>]) -> Result<Vec<Samples>> {
    let mut values: Vec<Vec<f64>> = vec![vec![]; sides.len()];
    for round in 0..=rounds {
        for place in order(round, sides.len()) {
            std::thread::sleep(PAUSE);
            let side = &mut sides[place];
            let value = (side.sample)().with_context(|| format!("round {round} of {}", side.name))?;
            if round > 0 {
                values[place].push(value);
            }
        }
    }
    Ok(sides.iter().zip(values).map(|(side, values)| Samples::new(&side.name, values)).collect())
}

/// A Williams design: over `count` rounds (twice as many where `count` is odd) each side is in each place, and comes
/// after each other side, equally often.
fn order(round: usize, count: usize) -> Vec<usize> {
    let zigzag = (0..count).map(|at| if at % 2 == 1 { at.div_ceil(2) } else { (count - at / 2) % count });
    let mut order: Vec<usize> = zigzag.map(|at| (at + round) % count).collect();
    if count % 2 == 1 && (round / count) % 2 == 1 {
        order.reverse();
    }
    order
}

/// How long `work` takes.
pub fn time<T>(work: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed())
}

/// The table of all figures, in Markdown.
#[derive(Debug, Default)]
pub struct Table {
    text: String,
    load: String,
}

impl Table {
    pub fn new() -> Table {
        let head = "| work | ours | median | peer | median | ours ÷ peer | quartiles: ours; peer | n | load |\n\
                    | --- | --- | --: | --- | --: | --: | --- | --: | --: |\n";
        Table { text: head.to_owned(), load: String::new() }
    }

    /// What follows is measured at this load of the machine.
    pub fn at_load(&mut self, load: String) {
        self.load = load;
    }

    /// One line for each pair of a way of ours and a peer's. `unit` stands behind the medians.
    pub fn compare(&mut self, work: &str, unit: &str, ours: &[&Samples], peers: &[&Samples]) {
        for (ours, peer) in ours.iter().flat_map(|ours| peers.iter().map(move |peer| (ours, peer))) {
            let ratio = ours.median() / peer.median();
            self.line(&[
                work,
                &ours.name,
                &format!("{} {unit}", number(ours.median())),
                &peer.name,
                &format!("{} {unit}", number(peer.median())),
                &format!("**{}**", number(ratio)),
                &format!("{}; {}", ours.spread(), peer.spread()),
                &ours.sorted.len().to_string(),
            ]);
        }
    }

    /// The worst of one beside the usual of another: the 99th percentile, and how often the other's median it is.
    pub fn tail(&mut self, work: &str, unit: &str, ours: &Samples, peer: &Samples) {
        let worst = ours.quantile(0.99);
        self.line(&[
            work,
            &format!("{}: p99", ours.name),
            &format!("{} {unit}", number(worst)),
            &peer.name,
            &format!("{} {unit}", number(peer.median())),
            &format!("**{}**", number(worst / peer.median())),
            &format!("{}; {}", ours.spread(), peer.spread()),
            &ours.sorted.len().to_string(),
        ]);
    }

    /// A figure without a peer.
    pub fn alone(&mut self, work: &str, unit: &str, ours: &Samples) {
        let median = format!("{} {unit}", number(ours.median()));
        let n = ours.sorted.len().to_string();
        self.line(&[work, &ours.name, &median, "–", "–", "–", &ours.spread(), &n]);
    }

    /// A peer or a figure that this run does not have.
    pub fn not_measured(&mut self, work: &str, ours: &str, peer: &str) {
        self.line(&[work, ours, "", peer, "not measured", "–", "", ""]);
    }

    fn line(&mut self, cells: &[&str]) {
        let _ = writeln!(self.text, "| {} | {} |", cells.join(" | "), self.load);
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Three significant digits.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 99.5 => format!("{value:.0}"),
        size if size >= 9.95 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
