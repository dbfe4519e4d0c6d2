//! The Prometheus text format, read back: families with their types, samples with their labels.

use std::collections::BTreeMap;

/// Labels of a sample.
pub(crate) type Labels = BTreeMap<String, String>;

/// One line of values.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) value: f64,
}

/// One answer of `/metrics`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scrape {
    pub(crate) samples: Vec<Sample>,
    /// Type by family name.
    pub(crate) types: BTreeMap<String, String>,
    pub(crate) text: String,
}

impl Scrape {
    /// Reads a page; panics on a line that is not of the format.
    pub(crate) fn parse(text: &str) -> Self {
        let mut scrape = Self { text: text.to_owned(), ..Self::default() };
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                scrape.types.insert(name.to_owned(), kind.to_owned());
            } else if !line.is_empty() && !line.starts_with('#') {
                scrape.samples.push(parse_sample(line).unwrap_or_else(|| panic!("sample: {line}")));
            }
        }
        scrape
    }

    /// Whether the sample only ever grows: a counter, or a part of a histogram.
    pub(crate) fn is_cumulative(&self, sample: &Sample) -> bool {
        let kind = |name: &str| self.types.get(name).map(String::as_str);
        kind(&sample.name) == Some("counter")
            || ["_bucket", "_sum", "_count"]
                .iter()
                .any(|suffix| sample.name.strip_suffix(suffix).and_then(kind) == Some("histogram"))
    }

    fn matching<'s>(
        &'s self,
        name: &'s str,
        labels: &'s [(&str, &str)],
    ) -> impl Iterator<Item = &'s Sample> {
        self.samples.iter().filter(move |sample| {
            sample.name == name
                && labels.iter().all(|(label, value)| {
                    sample.labels.get(*label).is_some_and(|found| found == value)
                })
        })
    }

    /// The sum of a metric over all series with these labels; 0 where there is none.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        // Not `Iterator::sum`, which is -0 for nothing.
        self.matching(name, labels).fold(0.0, |sum, sample| sum + sample.value)
    }

    /// The sum of a metric that counts whole things.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole and small enough to be exact in a float"
    )]
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let sum = self.sum(name, labels);
        assert!((0.0..9e15).contains(&sum) && sum.fract() == 0.0, "{name} {labels:?} is {sum}");
        sum as u64
    }

    /// The whole counts of a metric by the value of one label, without zeros.
    pub(crate) fn counts_by(
        &self,
        name: &str,
        label: &str,
        labels: &[(&str, &str)],
    ) -> BTreeMap<String, u64> {
        let values: std::collections::BTreeSet<&String> =
            self.matching(name, labels).filter_map(|sample| sample.labels.get(label)).collect();
        values
            .into_iter()
            .map(|value| {
                let mut all = labels.to_vec();
                all.push((label, value));
                (value.clone(), self.count(name, &all))
            })
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

fn parse_sample(line: &str) -> Option<Sample> {
    let (name, labels, rest) = if let Some((name, rest)) = line.split_once('{') {
        let (labels, rest) = parse_labels(rest)?;
        (name, labels, rest)
    } else {
        let (name, rest) = line.split_once(' ')?;
        (name, Labels::new(), rest)
    };
    let value = match rest.trim().split(' ').next()? {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        number => number.parse().ok()?,
    };
    Some(Sample { name: name.to_owned(), labels, value })
}

/// Reads `a="b",c="d"} rest`.
fn parse_labels(mut text: &str) -> Option<(Labels, &str)> {
    let mut labels = Labels::new();
    loop {
        text = text.trim_start_matches(',');
        if let Some(rest) = text.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (label, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next()? {
                (at, '"') => break at,
                (_, '\\') => match characters.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        labels.insert(label.to_owned(), value);
        text = &rest[end + 1..];
    }
}
