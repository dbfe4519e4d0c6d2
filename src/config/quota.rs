//! `[quota]`: limits, files with limits, and burndown rates.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::section::{Section, nearest};
use crate::model::model_ref::ModelRef;
use crate::model::names::Route;
use crate::model::series::LABEL_CHARS_MAX;
use crate::model::time::UnixMillis;
use crate::quota::kind::QuotaKind;
use crate::quota::pool::is_on_demand;
use crate::quota::settings::{OwnBurndown, OwnLimit, Settings};

/// Most rows of a kind: each limit is looked for among them.
const ROWS_MAX: usize = 1_000;
const ACCOUNT: &str = "an account id of 12 digits, in quotes";
const REGION: &str = "a region such as `us-east-1`";
const MODEL: &str = "a base model id such as `anthropic.claude-sonnet-4-5-20250929-v1:0`";
const DAY: &str = "a day such as `2026-11-01`, in quotes";
/// Characters of an AWS account id.
const ACCOUNT_DIGITS: usize = 12;

/// What the config says about quotas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaConfig {
    /// Everything but the files.
    pub settings: Settings,
    /// Files with the output of `aws service-quotas list-service-quotas`.
    pub files: Vec<PathBuf>,
}

impl QuotaConfig {
    /// Returns the models that limits and rates name, each once.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        let limits = self.settings.limits.iter().map(|limit| limit.model.as_str());
        let rates = self.settings.burndowns.iter().map(|rate| rate.model.as_str());
        limits.chain(rates).collect::<BTreeSet<_>>().into_iter()
    }
}

/// Reads `[quota]`; paths are as seen from `folder`.
pub(super) fn read(root: &mut Section<'_, '_>, folder: &Path) -> QuotaConfig {
    let mut section = root.section("quota");
    let (account, region) = read_place(&mut section);
    let files = section.texts("service_quotas").unwrap_or_default();
    let defaults = section.flag("defaults").unwrap_or(true);
    let limits = read_limits(&mut section);
    let burndowns = read_burndowns(&mut section);
    section.finish();
    QuotaConfig {
        settings: Settings { account, region, defaults, limits, burndowns },
        files: files.iter().map(|file| folder.join(file)).collect(),
    }
}

fn read_place(section: &mut Section<'_, '_>) -> (Option<String>, Option<String>) {
    let is_account =
        |text: &str| text.len() == ACCOUNT_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    let account =
        section.parsed("account", ACCOUNT, |text| is_account(text).then(|| text.to_owned()));
    let is_part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let is_region = |text: &str| text.contains('-') && text.split('-').all(is_part);
    let region = section.parsed("region", REGION, |text| is_region(text).then(|| text.to_owned()));
    (account, region)
}

fn rows<'r, 'i>(section: &mut Section<'r, 'i>, key: &'static str) -> Vec<Section<'r, 'i>> {
    let rows = section.sections(key);
    if rows.len() > ROWS_MAX {
        let count = rows.len();
        section.report(format!("found {count} `[[quota.{key}]]`, expected at most {ROWS_MAX}"));
    }
    rows
}

fn read_limits(section: &mut Section<'_, '_>) -> Vec<OwnLimit> {
    let mut limits: Vec<(OwnLimit, String)> = Vec::new();
    for mut row in rows(section, "limit") {
        let (account, region) = read_place(&mut row);
        let (has_model, has_route) = (row.has("model"), row.has("route"));
        let model = read_model(&mut row);
        let route = row.checked("route", route_named);
        for (key, is_there) in [("model", has_model), ("route", has_route)] {
            if !is_there {
                row.report(format!("`{key}` is missing, expected {}", wanted(key)));
            }
        }
        let has_kind = QuotaKind::ALL.iter().any(|kind| row.has(kind.as_str()));
        let mut values = Vec::new();
        for kind in QuotaKind::ALL {
            let value = row.number(kind.as_str(), 0..=u64::MAX);
            values.extend(value.map(|value| (kind, value)));
        }
        if !has_kind {
            row.report(format!("there is no limit, expected one at least of {}", kinds()));
        }
        if let (Some(model), Some(route)) = (model, route) {
            let limit = OwnLimit { account, region, model, route, values };
            for (known, place) in &limits {
                report_contradictions(&row, &limit, known, place);
            }
            limits.push((limit, row.place()));
        }
        row.finish();
    }
    limits.into_iter().map(|(limit, _)| limit).collect()
}

fn report_contradictions(row: &Section<'_, '_>, limit: &OwnLimit, known: &OwnLimit, place: &str) {
    let of = |limit: &OwnLimit| {
        (limit.account.clone(), limit.region.clone(), limit.model.clone(), limit.route)
    };
    if of(limit) != of(known) {
        return;
    }
    for (kind, value) in &limit.values {
        let other = known.values.iter().find(|(of, other)| of == kind && other != value);
        if let Some((_, other)) = other {
            row.report(format!(
                "found {value} as `{kind}`, but {place} has {other} for the same calls; keep one of them"
            ));
        }
    }
}

fn read_burndowns(section: &mut Section<'_, '_>) -> Vec<OwnBurndown> {
    let mut burndowns: Vec<(OwnBurndown, String)> = Vec::new();
    for mut row in rows(section, "burndown") {
        for key in ["model", "rate"] {
            if !row.has(key) {
                row.report(format!("`{key}` is missing, expected {}", wanted(key)));
            }
        }
        let model = read_model(&mut row);
        let rate = row.number("rate", 1..=1_000).and_then(|rate| u32::try_from(rate).ok());
        let from = row.parsed("from", DAY, UnixMillis::parse_day);
        if let (Some(model), Some(rate)) = (model, rate) {
            let burndown = OwnBurndown { model, rate, from };
            let same = |(known, _): &&(OwnBurndown, String)| {
                known.model == burndown.model && known.from == from && known.rate != rate
            };
            if let Some((known, place)) = burndowns.iter().find(same) {
                let other = known.rate;
                row.report(format!(
                    "found {rate} as `rate`, but {place} has {other} from the same day on; keep one of them"
                ));
            }
            burndowns.push((burndown, row.place()));
        }
        row.finish();
    }
    burndowns.into_iter().map(|(burndown, _)| burndown).collect()
}

fn wanted(key: &str) -> &'static str {
    match key {
        "model" => MODEL,
        "route" => "`in_region`, `geo` or `global`",
        _ => "the quota tokens that one output token takes",
    }
}

fn kinds() -> String {
    QuotaKind::ALL.map(|kind| format!("`{kind}`")).join(", ")
}

/// Limits are those of base models: a profile's prefix is the route, and a context size shares its model's limit.
fn read_model(row: &mut Section<'_, '_>) -> Option<String> {
    row.checked("model", |text| {
        let found = ModelRef::parse(text);
        let base = crate::price::without_context(&found.model).unwrap_or(&found.model);
        if found.opaque || found.model.contains(['/', '*', ' ']) || text.len() > LABEL_CHARS_MAX {
            return Err(format!("found `{text}`, expected {MODEL}"));
        }
        match found.route {
            Route::InRegion if base == text => Ok(base.to_owned()),
            Route::Geo | Route::Global => {
                let route = found.route.as_str();
                Err(format!("found `{text}`, expected the base id `{base}`; its prefix is the route `{route}`"))
            }
            _ => Err(format!("found `{text}`, expected the base id `{base}`")),
        }
    })
}

fn route_named(text: &str) -> Result<Route, String> {
    let known = || Route::ALL.iter().copied().filter(|route| is_on_demand(*route));
    known().find(|route| route.as_str() == text).ok_or_else(|| {
        let hint = nearest(text, known().map(Route::as_str));
        let hint = hint.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        format!("found `{text}`, expected {}{hint}", wanted("route"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const SOURCE: &str = "[[source]]\nname = \"a\"\ninclude = [\"x\"]\n";

    fn parse(quota: &str) -> Result<QuotaConfig, String> {
        let text = format!("{SOURCE}{quota}");
        let config = Config::parse("t.toml", &text, Path::new("/etc/tollkeeper"));
        config.map(|config| config.quota).map_err(|problems| problems.to_string())
    }

    #[test]
    fn everything_about_quotas_is_read() {
        let quota = parse(
            r#"
            [quota]
            account = "111122223333"
            region = "us-gov-west-1"
            service_quotas = ["quotas.json", "/tmp/more.json"]
            defaults = false
            [[quota.limit]]
            model = "anthropic.claude-v2:1"
            route = "in_region"
            tokens_per_minute = 18446744073709551615
            requests_per_minute = 0
            [[quota.limit]]
            account = "111122223333"
            region = "eu-west-1"
            model = "anthropic.claude-v2:1"
            route = "in_region"
            tokens_per_day = 5
            [[quota.burndown]]
            model = "anthropic.claude-opus-4-8"
            rate = 5
            from = "2026-11-01"
            "#,
        )
        .unwrap();
        let text = |text: &str| Some(text.to_owned());
        let limit = |account, region, values| OwnLimit {
            account,
            region,
            model: "anthropic.claude-v2:1".to_owned(),
            route: Route::InRegion,
            values,
        };
        assert_eq!(
            quota,
            QuotaConfig {
                settings: Settings {
                    account: text("111122223333"),
                    region: text("us-gov-west-1"),
                    defaults: false,
                    limits: vec![
                        limit(
                            None,
                            None,
                            vec![
                                (QuotaKind::TokensPerMinute, u64::MAX),
                                (QuotaKind::RequestsPerMinute, 0)
                            ]
                        ),
                        limit(
                            text("111122223333"),
                            text("eu-west-1"),
                            vec![(QuotaKind::TokensPerDay, 5)]
                        ),
                    ],
                    burndowns: vec![OwnBurndown {
                        model: "anthropic.claude-opus-4-8".to_owned(),
                        rate: 5,
                        from: UnixMillis::parse_day("2026-11-01"),
                    }],
                },
                files: vec![
                    PathBuf::from("/etc/tollkeeper/quotas.json"),
                    PathBuf::from("/tmp/more.json")
                ],
            }
        );
        assert_eq!(parse("").unwrap(), QuotaConfig::default());
        assert!(parse("").unwrap().settings.defaults);
    }

    #[test]
    fn every_mistake_is_told_at_once_with_its_place() {
        let found = parse(
            "[quota]\n\
             account = 111122223333\n\
             region = \"US East\"\n\
             service_quota = [\"x\"]\n\
             [[quota.limit]]\n\
             model = \"us.anthropic.claude-sonnet-4-6\"\n\
             route = \"globl\"\n\
             token_per_minute = 5\n\
             [[quota.limit]]\n\
             model = \"anthropic.claude-*\"\n\
             requests_per_minute = -1\n\
             [[quota.burndown]]\n\
             model = \"anthropic.claude-v2:1:200k\"\n\
             rate = 0\n\
             from = \"November\"\n",
        )
        .unwrap_err();
        assert_eq!(
            found,
            "t.toml:5:11: quota.account: found integer, expected an account id of 12 digits, in quotes\n\
             t.toml:6:10: quota.region: found `US East`, expected a region such as `us-east-1`\n\
             t.toml:7:1: quota.service_quota: there is no such key; did you mean `service_quotas`?\n\
             t.toml:8:1: quota.limit[0]: there is no limit, expected one at least of `tokens_per_minute`, \
             `tokens_per_day`, `requests_per_minute`\n\
             t.toml:9:9: quota.limit[0].model: found `us.anthropic.claude-sonnet-4-6`, expected the base id \
             `anthropic.claude-sonnet-4-6`; its prefix is the route `geo`\n\
             t.toml:10:9: quota.limit[0].route: found `globl`, expected `in_region`, `geo` or `global`; did you \
             mean `global`?\n\
             t.toml:11:1: quota.limit[0].token_per_minute: there is no such key; did you mean \
             `tokens_per_minute`?\n\
             t.toml:12:1: quota.limit[1]: `route` is missing, expected `in_region`, `geo` or `global`\n\
             t.toml:13:9: quota.limit[1].model: found `anthropic.claude-*`, expected a base model id such as \
             `anthropic.claude-sonnet-4-5-20250929-v1:0`\n\
             t.toml:14:23: quota.limit[1].requests_per_minute: found `-1`, expected a whole number from 0 to \
             18446744073709551615\n\
             t.toml:16:9: quota.burndown[0].model: found `anthropic.claude-v2:1:200k`, expected the base id \
             `anthropic.claude-v2:1`\n\
             t.toml:17:8: quota.burndown[0].rate: found `0`, expected a whole number from 1 to 1000\n\
             t.toml:18:8: quota.burndown[0].from: found `November`, expected a day such as `2026-11-01`, in quotes"
        );
    }

    #[test]
    fn limits_that_contradict_each_other_are_told_with_both_places() {
        let limit = |more: &str| {
            format!("[[quota.limit]]\nmodel = \"anthropic.claude-v2\"\nroute = \"geo\"\n{more}\n")
        };
        let rate = |rate: u32| {
            format!("[[quota.burndown]]\nmodel = \"anthropic.claude-v2\"\nrate = {rate}\n")
        };
        let text = [
            limit("tokens_per_minute = 5"),
            limit("tokens_per_minute = 5"),
            limit("region = \"eu-west-1\"\ntokens_per_minute = 6"),
            limit("tokens_per_minute = 6"),
            rate(5),
            rate(7),
        ];
        assert_eq!(
            parse(&text.concat()).unwrap_err(),
            "t.toml:17:1: quota.limit[3]: found 6 as `tokens_per_minute`, but `quota.limit[0]` on line 4 has 5 for \
             the same calls; keep one of them\n\
             t.toml:17:1: quota.limit[3]: found 6 as `tokens_per_minute`, but `quota.limit[1]` on line 8 has 5 for \
             the same calls; keep one of them\n\
             t.toml:24:1: quota.burndown[1]: found 7 as `rate`, but `quota.burndown[0]` on line 21 has 5 from the \
             same day on; keep one of them"
        );
    }
}
