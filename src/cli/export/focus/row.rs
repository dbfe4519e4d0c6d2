//! The columns of FOCUS 1.2 that we fill, with the values of one row.

use crate::model::money::Usd;
use crate::model::time::UnixMillis;
use crate::query::instant;

/// A value of a column. Nothing is a null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A text; nothing if it is not known.
    Text(Option<String>),
    /// An exact decimal, in units of 10^-12.
    Decimal(Option<i128>),
    /// An instant.
    Time(UnixMillis),
}

/// A column.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) value: fn(&Row) -> Value,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Decimal,
    Time,
}

/// One charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) month: (UnixMillis, UnixMillis),
    pub(super) period: (UnixMillis, UnixMillis),
    /// Nothing if it has no price.
    pub(super) cost: Option<Usd>,
    pub(super) is_recurring: bool,
    /// Tokens; nothing of what is not paid by token.
    pub(super) tokens: Option<u64>,
    pub(super) account: Option<String>,
    pub(super) region: Option<String>,
    pub(super) provider: String,
    pub(super) publisher: Option<String>,
    pub(super) service: String,
    pub(super) description: String,
    pub(super) sku: String,
    pub(super) sku_price: String,
    pub(super) meter: String,
    /// A JSON object.
    pub(super) details: String,
    /// A JSON object.
    pub(super) tags: String,
}

/// 10^12: what a decimal counts in.
const UNIT: i128 = 1_000_000_000_000;
/// Tokens that a price is for.
const PRICED_TOKENS: i128 = 1_000_000;

const fn text(name: &'static str, value: fn(&Row) -> Value) -> Column {
    Column { name, kind: Kind::Text, value }
}

const fn decimal(name: &'static str, value: fn(&Row) -> Value) -> Column {
    Column { name, kind: Kind::Decimal, value }
}

const fn time(name: &'static str, value: fn(&Row) -> Value) -> Column {
    Column { name, kind: Kind::Time, value }
}

/// All columns, in the order of the specification's names; ours come last.
pub(super) const COLUMNS: &[Column] = &[
    decimal("BilledCost", cost),
    text("BillingAccountId", |row| Value::Text(row.account.clone())),
    text("BillingCurrency", |_| fixed("USD")),
    time("BillingPeriodEnd", |row| Value::Time(row.month.1)),
    time("BillingPeriodStart", |row| Value::Time(row.month.0)),
    text("ChargeCategory", |_| fixed("Usage")),
    text("ChargeClass", |_| Value::Text(None)),
    text("ChargeDescription", |row| fixed(&row.description)),
    text("ChargeFrequency", |row| {
        fixed(if row.is_recurring { "Recurring" } else { "Usage-Based" })
    }),
    time("ChargePeriodEnd", |row| Value::Time(row.period.1)),
    time("ChargePeriodStart", |row| Value::Time(row.period.0)),
    decimal("ConsumedQuantity", |row| {
        Value::Decimal(row.tokens.map(|tokens| i128::from(tokens) * UNIT))
    }),
    text("ConsumedUnit", |row| Value::Text(row.tokens.map(|_| "Tokens".to_owned()))),
    decimal("ContractedCost", cost),
    decimal("ContractedUnitPrice", unit_price),
    decimal("EffectiveCost", cost),
    text("InvoiceIssuerName", |row| fixed(&row.provider)),
    decimal("ListCost", cost),
    decimal("ListUnitPrice", unit_price),
    text("PricingCategory", |_| fixed("Standard")),
    text("PricingCurrency", |_| fixed("USD")),
    decimal("PricingQuantity", |row| {
        Value::Decimal(row.tokens.map(|tokens| i128::from(tokens) * (UNIT / PRICED_TOKENS)))
    }),
    text("PricingUnit", |row| Value::Text(row.tokens.map(|_| "1000000 Tokens".to_owned()))),
    text("ProviderName", |row| fixed(&row.provider)),
    text("PublisherName", |row| Value::Text(row.publisher.clone())),
    text("RegionId", |row| Value::Text(row.region.clone())),
    // Of a profile or a provisioned model the ledger knows the base model only.
    text("ResourceId", |_| Value::Text(None)),
    text("ServiceCategory", |_| fixed("AI and Machine Learning")),
    text("ServiceName", |row| fixed(&row.service)),
    text("ServiceSubcategory", |_| fixed("Generative AI")),
    text("SkuId", |row| fixed(&row.sku)),
    text("SkuMeter", |row| fixed(&row.meter)),
    text("SkuPriceDetails", |row| fixed(&row.details)),
    text("SkuPriceId", |row| fixed(&row.sku_price)),
    text("SubAccountId", |row| Value::Text(row.account.clone())),
    text("Tags", |row| fixed(&row.tags)),
    text("x_CostBasis", |row| {
        fixed(if row.cost.is_some() { "Estimate by price book" } else { "No price known" })
    }),
];

fn fixed(text: &str) -> Value {
    Value::Text(Some(text.to_owned()))
}

fn cost(row: &Row) -> Value {
    Value::Decimal(row.cost.map(|cost| cost.0))
}

/// Returns the price of [`PRICED_TOKENS`], where all tokens of the row had one: else no decimal times the
/// quantity gives the cost.
fn unit_price(row: &Row) -> Value {
    let price = || {
        let (cost, tokens) = (row.cost?, i128::from(row.tokens?));
        let of_all = cost.0.checked_mul(PRICED_TOKENS)?;
        (of_all.checked_rem(tokens)? == 0).then(|| of_all / tokens)
    };
    Value::Decimal(price())
}

impl Value {
    /// Returns the value as CSV has it; nothing for a null.
    pub(super) fn text(self) -> String {
        match self {
            Self::Text(text) => text.unwrap_or_default(),
            Self::Decimal(units) => units.map_or_else(String::new, |units| Usd(units).to_string()),
            Self::Time(at) => instant::text(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_different_names() {
        let names: std::collections::BTreeSet<_> =
            COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), COLUMNS.len());
    }
}
