//! Which models the text of a quota's name is about: its words against a list of names, without the case,
//! the maker in front and the "V1" at the end, which AWS writes or leaves out as it comes.

use std::collections::{BTreeMap, HashMap};

/// How names begin with a maker, and how the ids of its models begin.
const MAKERS: &[(&str, &str)] = &[
    ("ai21 labs ", "ai21."),
    ("amazon ", "amazon."),
    ("anthropic ", "anthropic."),
    ("cohere ", "cohere."),
    ("google ", "google."),
    ("meta ", "meta."),
    ("mistral ai ", "mistral."),
    ("moonshot ai ", "moonshot"),
    ("nvidia ", "nvidia."),
    ("openai ", "openai."),
    ("stability ai ", "stability."),
    ("twelve labs ", "twelvelabs."),
    ("twelvelabs ", "twelvelabs."),
    ("writer ", "writer."),
    ("z.ai ", "zai."),
];

/// Model ids by the words of their names.
#[derive(Clone, Debug, Default)]
pub(super) struct ModelNames(HashMap<String, Vec<String>>);

impl ModelNames {
    pub(super) fn new(names: &BTreeMap<String, Vec<String>>) -> Self {
        let mut by_words: HashMap<String, Vec<String>> = HashMap::new();
        for (name, ids) in names {
            let known = by_words.entry(split(name).1).or_default();
            for id in ids {
                if !known.contains(id) {
                    known.push(id.clone());
                }
            }
        }
        Self(by_words)
    }

    /// Returns the base ids of the models that the name is about; none if it is not known, or if it names
    /// another maker than theirs.
    pub(super) fn ids(&self, name: &str) -> &[String] {
        let (maker, words) = split(name);
        let ids = self.0.get(&words).map_or(&[][..], Vec::as_slice);
        if ids.iter().all(|id| id.starts_with(maker)) { ids } else { &[] }
    }
}

/// Returns how ids of the maker begin (all do with "") and the words behind it.
fn split(name: &str) -> (&'static str, String) {
    let lower = name.to_lowercase().replace('-', " ");
    let words = lower.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = words.strip_suffix(" v1").unwrap_or(&words);
    let maker = MAKERS.iter().find_map(|(maker, ids)| Some((*ids, words.strip_prefix(maker)?)));
    let (maker, rest) = maker.unwrap_or(("", words));
    (maker, rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_in_every_spelling_and_never_taken_for_another() {
        let one = |id: &str| vec![id.to_owned()];
        let names = ModelNames::new(&BTreeMap::from([
            ("Anthropic Claude 3.5 Sonnet".to_owned(), one("anthropic.a")),
            ("Anthropic Claude 3.5 Sonnet V2".to_owned(), one("anthropic.b")),
            ("Mistral Large".to_owned(), one("mistral.c")),
        ]));
        for (name, id) in [
            ("Anthropic Claude 3.5 Sonnet", "anthropic.a"),
            ("Claude 3.5 Sonnet V1", "anthropic.a"),
            ("ANTHROPIC claude  3.5 sonnet v2", "anthropic.b"),
            ("Mistral AI Mistral Large", "mistral.c"),
        ] {
            assert_eq!(names.ids(name), [id], "{name}");
        }
        for name in ["OpenAI Claude 3.5 Sonnet", "Claude 3.5 Sonnet V3", "Claude 3.5", "Large", ""]
        {
            assert!(names.ids(name).is_empty(), "{name}");
        }
    }
}
