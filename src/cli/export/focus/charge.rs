//! Makes charges of an answer by everything that series differ in.

use serde_json::{Map, Value, json};

use super::row::Row;
use crate::budget::period::{Cycle, Interval, Period};
use crate::budget::zone::Zone;
use crate::model::money::Usd;
use crate::model::series::{NONE, OTHER, PROVIDER_BEDROCK, UNKNOWN};
use crate::model::time::UnixMillis;
use crate::model::tokens::TokenClass;
use crate::query::{Answer, Group, Step, Sums};

/// What stands before the key of an attribute in the names of an answer.
const ATTRIBUTE: &str = "attr:";
/// Who makes the models whose ids begin so (AWS, "Supported foundation models in Amazon Bedrock").
const PUBLISHERS: [(&str, &str); 13] = [
    ("ai21", "AI21 Labs"),
    ("amazon", "Amazon"),
    ("anthropic", "Anthropic"),
    ("cohere", "Cohere"),
    ("deepseek", "DeepSeek"),
    ("luma", "Luma AI"),
    ("meta", "Meta"),
    ("mistral", "Mistral AI"),
    ("openai", "OpenAI"),
    ("qwen", "Qwen"),
    ("stability", "Stability AI"),
    ("twelvelabs", "TwelveLabs"),
    ("writer", "Writer"),
];

/// Returns the charges of an answer whose steps are charge periods.
pub(super) fn charges(answer: &Answer) -> Vec<Row> {
    let step = answer.step.as_deref().and_then(|step| Step::parse(step, &Zone::UTC));
    let Some(step) = step else { return Vec::new() };
    let months = Period { cycle: Cycle::Month { day: 1 }, zone: Zone::UTC };
    let mut rows = Vec::new();
    for group in &answer.groups {
        let series = Series::of(answer, group);
        for part in &group.steps {
            let period = step.holding(part.start);
            let month = months.holding(part.start);
            series.charges(&part.sums, period, month, &mut rows);
        }
    }
    rows
}

/// What all charges of a group have in common.
struct Series {
    model: String,
    item: String,
    base: Row,
}

impl Series {
    fn of(answer: &Answer, group: &Group) -> Self {
        let label = |wanted: &str| {
            let place = answer.by.iter().position(|name| name == wanted);
            place.and_then(|place| group.labels.get(place)).map_or("", String::as_str)
        };
        let known = |name| Some(label(name)).filter(|text| is_known(text)).map(str::to_owned);
        let (provider, model) = (label("provider"), label("model"));
        let is_bedrock = provider == PROVIDER_BEDROCK;
        let mut details = Map::new();
        for (key, name) in [
            ("x_ModelName", "model"),
            ("x_Route", "route"),
            ("x_ServiceTier", "tier"),
            ("x_ProfileGeography", "geo"),
            ("x_ContextBand", "context"),
        ] {
            details.extend(known(name).map(|text| (key.to_owned(), json!(text))));
        }
        let mut tags = Map::new();
        tags.extend(known("principal").map(|text| ("principal".to_owned(), json!(text))));
        for (name, value) in answer.by.iter().zip(&group.labels) {
            if let Some(key) = name.strip_prefix(ATTRIBUTE).filter(|_| !value.is_empty()) {
                tags.insert(key.to_owned(), json!(value));
            }
        }
        let places = [label("region"), label("geo"), label("context")].join(":");
        let nothing = (UnixMillis(0), UnixMillis(0));
        let base = Row {
            month: nothing,
            period: nothing,
            cost: None,
            is_recurring: false,
            tokens: None,
            account: known("account"),
            region: known("region"),
            provider: if is_bedrock { "AWS".to_owned() } else { provider.to_owned() },
            publisher: publisher(model),
            service: if is_bedrock { "Amazon Bedrock".to_owned() } else { provider.to_owned() },
            description: String::new(),
            sku: [model, label("route"), label("tier")].join(":"),
            sku_price: places,
            meter: String::new(),
            details: Value::Object(details).to_string(),
            tags: Value::Object(tags).to_string(),
        };
        Self { model: model.to_owned(), item: label("item").to_owned(), base }
    }

    fn charges(&self, sums: &Sums, period: Interval, month: Interval, rows: &mut Vec<Row>) {
        let base = Row {
            month: (month.start, month.end),
            period: (period.start, period.end),
            ..self.base.clone()
        };
        for (class, tokens) in sums.tokens.iter() {
            let (unpriced, cost) = (sums.unpriced.get(class), sums.cost.get(class));
            let priced = tokens.saturating_sub(unpriced);
            if priced > 0 || cost != Usd::ZERO {
                rows.push(self.of_class(&base, class, priced, Some(cost)));
            }
            if unpriced > 0 {
                rows.push(self.of_class(&base, class, unpriced, None));
            }
        }
        if sums.charge != Usd::ZERO {
            let sku = format!("item:{}", self.item);
            rows.push(Row {
                cost: Some(sums.charge),
                is_recurring: true,
                description: self.item.clone(),
                meter: self.item.clone(),
                sku_price: format!("{sku}:{}", base.sku_price),
                sku,
                ..base
            });
        }
    }

    fn of_class(&self, base: &Row, class: TokenClass, tokens: u64, cost: Option<Usd>) -> Row {
        let meter = meter(class);
        let mut details: Map<String, Value> =
            serde_json::from_str(&base.details).unwrap_or_default();
        details.insert("x_TokenClass".to_owned(), json!(class.as_str()));
        let sku = format!("{}:{}", base.sku, class.as_str());
        Row {
            cost,
            tokens: Some(tokens),
            description: format!("{meter} of {}", self.model),
            meter: meter.to_owned(),
            details: Value::Object(details).to_string(),
            sku_price: format!("{sku}:{}", base.sku_price),
            sku,
            ..base.clone()
        }
    }
}

fn is_known(label: &str) -> bool {
    !label.is_empty() && ![UNKNOWN, OTHER, NONE].contains(&label)
}

fn publisher(model: &str) -> Option<String> {
    let (prefix, _) = model.split_once('.')?;
    let known = PUBLISHERS.iter().find(|(known, _)| *known == prefix);
    Some(known.map_or(prefix, |(_, name)| name).to_owned())
}

fn meter(class: TokenClass) -> &'static str {
    match class {
        TokenClass::Input => "Input Tokens",
        TokenClass::CacheRead => "Input Cache Read",
        TokenClass::CacheWrite5m => "Input Cache Write 5m",
        TokenClass::CacheWrite1h => "Input Cache Write 1h",
        TokenClass::CacheWriteUnknownTtl => "Input Cache Write",
        TokenClass::Output => "Output Tokens",
    }
}
