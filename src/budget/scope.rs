//! Which series a budget counts: matchers by label, each a list of globs.

use crate::model::series::{NONE, SeriesKey};

/// What a series can be told apart by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// Who serves the model.
    Provider,
    /// AWS account id.
    Account,
    /// Region that was called.
    Region,
    /// Base model id.
    Model,
    /// How the model was reached.
    Route,
    /// Service tier.
    Tier,
    /// Who called.
    Principal,
    /// Geographic prefix of the inference profile.
    Geo,
    /// The name of what is not paid by token; [`NONE`] for calls.
    Item,
    /// A key of the request metadata that the config chose.
    Attribute(String),
}

/// A text in which `*` stands for any characters and `?` for one; all of a value has to match, in the
/// same case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

/// What the values of one label have to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// The label.
    pub label: Label,
    /// At least one of these has to match; any value does if there are none.
    pub included: Vec<Glob>,
    /// None of these may match.
    pub excluded: Vec<Glob>,
}

/// What a budget counts: series that match all matchers, so all of them if there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The matchers.
    pub matchers: Vec<Matcher>,
}

impl Label {
    /// The labels with a name of their own.
    pub const NAMED: [(&str, Self); 9] = [
        ("provider", Self::Provider),
        ("account", Self::Account),
        ("region", Self::Region),
        ("model", Self::Model),
        ("route", Self::Route),
        ("tier", Self::Tier),
        ("principal", Self::Principal),
        ("geo", Self::Geo),
        ("item", Self::Item),
    ];
    /// What stands in front of the key of an attribute, as for `scan --by`.
    pub const ATTRIBUTE_PREFIX: &str = "attr:";

    /// Returns the label with this name; `attr:KEY` is that of a key of the request metadata.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(key) = name.strip_prefix(Self::ATTRIBUTE_PREFIX) {
            return (!key.is_empty()).then(|| Self::Attribute(key.to_owned()));
        }
        Self::NAMED.into_iter().find(|(known, _)| *known == name).map(|(_, label)| label)
    }

    /// Returns the name that [`Self::parse`] reads.
    pub fn name(&self) -> String {
        match self {
            Self::Attribute(key) => format!("{}{key}", Self::ATTRIBUTE_PREFIX),
            _ => Self::NAMED
                .into_iter()
                .find(|(_, label)| label == self)
                .map_or_else(String::new, |(name, _)| name.to_owned()),
        }
    }

    /// Returns the value of this label; empty for an attribute that the series does not have.
    pub fn of<'k>(&self, key: &'k SeriesKey) -> &'k str {
        match self {
            Self::Provider => &key.provider,
            Self::Account => &key.account,
            Self::Region => &key.region,
            Self::Model => &key.model,
            Self::Route => key.route.as_str(),
            Self::Tier => key.tier.as_str(),
            Self::Principal => &key.principal,
            Self::Geo => &key.geo,
            Self::Item if key.item.is_empty() => NONE,
            Self::Item => &key.item,
            Self::Attribute(wanted) => key
                .attributes
                .iter()
                .find(|(name, _)| name == wanted)
                .map_or("", |(_, value)| value),
        }
    }
}

impl Glob {
    /// Returns a glob; every text is one.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Tells whether all of `value` matches.
    ///
    /// Takes at most as many steps as the lengths multiplied: when characters behind a `*` do not match,
    /// only the last `*` takes one more, since whatever an earlier one could take, that one can too.
    pub fn matches(&self, value: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.chars(), value.chars());
        let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
        loop {
            let (mut after, mut ahead) = (pattern.clone(), rest.clone());
            match (after.next(), ahead.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    retry = Some((after.clone(), rest.clone()));
                    pattern = after;
                    continue;
                }
                (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                    (pattern, rest) = (after, ahead);
                    continue;
                }
                _ => {}
            }
            let Some((behind, taken)) = &mut retry else { return false };
            if taken.next().is_none() {
                return false;
            }
            (pattern, rest) = (behind.clone(), taken.clone());
        }
    }
}

impl Matcher {
    /// Returns the matcher of a label; a glob that begins with `!` excludes what it matches.
    pub fn new<'t>(label: Label, globs: impl IntoIterator<Item = &'t str>) -> Self {
        let mut matcher = Self { label, included: Vec::new(), excluded: Vec::new() };
        for text in globs {
            match text.strip_prefix('!') {
                Some(text) => matcher.excluded.push(Glob::new(text)),
                None => matcher.included.push(Glob::new(text)),
            }
        }
        matcher
    }

    /// Tells whether the label's value in `key` matches.
    pub fn matches(&self, key: &SeriesKey) -> bool {
        self.takes(self.label.of(key))
    }

    /// Tells whether a value of the label matches.
    pub fn takes(&self, value: &str) -> bool {
        let is_one_of = |globs: &[Glob]| globs.iter().any(|glob| glob.matches(value));
        (self.included.is_empty() || is_one_of(&self.included)) && !is_one_of(&self.excluded)
    }
}

impl Scope {
    /// Tells whether a series is in the scope.
    pub fn matches(&self, key: &SeriesKey) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::tests::key;
    use proptest::prelude::*;

    /// What a glob means, written down plainly.
    fn plainly(pattern: &[char], value: &[char]) -> bool {
        match pattern.split_first() {
            None => value.is_empty(),
            Some(('*', rest)) => (0..=value.len()).any(|taken| plainly(rest, &value[taken..])),
            Some((wanted, rest)) => value.split_first().is_some_and(|(found, left)| {
                (*wanted == '?' || wanted == found) && plainly(rest, left)
            }),
        }
    }

    proptest! {
        #[test]
        fn globs_mean_what_they_say(pattern in "[ab*?é]{0,8}", value in "[abé]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = plainly(&chars(&pattern), &chars(&value));
            prop_assert_eq!(Glob::new(&pattern).matches(&value), expected, "{} {}", pattern, value);
        }
    }

    #[test]
    fn a_hostile_value_takes_no_exponential_time() {
        let pattern = Glob::new(&"a*".repeat(200));
        assert!(!pattern.matches(&format!("{}b", "c".repeat(10_000))));
        let pattern = Glob::new(&format!("{}b", "*a".repeat(200)));
        assert!(!pattern.matches(&"a".repeat(10_000)));
    }

    #[test]
    fn all_labels_must_match_and_a_leading_bang_excludes() {
        let series = key("role/search", "anthropic.claude-v2:1", &[("team", "search")]);
        let scope = |matchers: &[(&str, &[&str])]| Scope {
            matchers: matchers
                .iter()
                .map(|(label, globs)| {
                    Matcher::new(Label::parse(label).unwrap(), globs.iter().copied())
                })
                .collect(),
        };
        for (matchers, is_in) in [
            (&[][..], true),
            (&[("model", &["anthropic.*"][..])][..], true),
            (&[("model", &["amazon.*", "*claude*"][..])][..], true),
            (&[("model", &["anthropic"][..])][..], false),
            (&[("model", &["Anthropic.*"][..])][..], false),
            (&[("model", &["anthropic.*"][..]), ("principal", &["role/chat"][..])][..], false),
            (&[("principal", &["!role/search"][..])][..], false),
            (&[("principal", &["role/*", "!role/sear??"][..])][..], false),
            (&[("principal", &["!role/chat"][..])][..], true),
            (&[("attr:team", &["search"][..])][..], true),
            (&[("attr:tenant", &["?*"][..])][..], false),
            (&[("attr:tenant", &["", "x"][..])][..], true),
            (&[("route", &["in_region"][..]), ("tier", &["standard"][..])][..], true),
            (&[("item", &["none"][..])][..], true),
            (&[("item", &["!none"][..])][..], false),
        ] {
            assert_eq!(scope(matchers).matches(&series), is_in, "{matchers:?}");
        }
        let item = SeriesKey { item: "endpoint".to_owned(), ..series };
        assert!(scope(&[]).matches(&item) && scope(&[("item", &["!none"])]).matches(&item));
        assert!(!scope(&[("item", &["none"])]).matches(&item));
    }

    #[test]
    fn labels_are_read_as_they_are_named() {
        for (name, label) in Label::NAMED {
            assert_eq!(Label::parse(name), Some(label.clone()));
            assert_eq!(label.name(), name);
        }
        let team = Label::Attribute("team".to_owned());
        assert_eq!(Label::parse("attr:team"), Some(team.clone()));
        assert_eq!(team.name(), "attr:team");
        assert_eq!((Label::parse("attr:"), Label::parse("models")), (None, None));
    }
}
