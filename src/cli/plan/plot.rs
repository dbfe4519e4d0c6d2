//! What a month costs against the load, as SVG: one line an option, marks at the measured minutes.
//!
//! The file stands alone: no script, no font, nothing from elsewhere. What logs and config wrote is escaped.
//! Places are whole pixels, since no float holds money.

use super::print::title;
use crate::model::digits::grouped;
use crate::model::money::{PICODOLLARS_PER_USD, Usd};
use crate::plan::{Curve, Percentile, Plan, Quote, TrafficPlan};

const WIDTH: u64 = 1_000;
const HEIGHT: u64 = 572;
const LEFT: u64 = 96;
const TOP: u64 = 116;
/// Size of the frame that the lines are in.
const FRAME: (u64, u64) = (600, 380);
/// Lines are drawn in so many steps at most.
const STEPS_MAX: u64 = 400;
/// The frame is made so many times as high as what is paid by the token, at most, for units to be in it.
const HIGHER_MAX: i128 = 4;
/// The frame is made so many times as wide as the busiest minute, at most, for crossings to be in it: for all that
/// are near, else for the nearest.
const WIDER_FOR_ALL: u64 = 4;
const WIDER_FOR_ONE: u64 = 30;
/// Characters of a title or of a name in the legend.
const TITLE_CHARS: usize = 100;
const NAME_CHARS: usize = 30;
/// Lines of the legend are told apart by colour and by dashes.
const DASHES: [&str; 4] = ["", "8 4", "2 4", "10 4 2 4"];
const COLOURS: usize = 8;

/// Plain classes and no variables of CSS: not every viewer of SVG knows those.
const STYLE: &str = "\
.paper{fill:#fff}text{fill:#1b1f24;font:13px system-ui,sans-serif}.title{font-size:17px;font-weight:600}\
.soft{fill:#6a737d}.grid{stroke:#e3e6ea}.axis{stroke:#6a737d}.mark{stroke:#6a737d;stroke-dasharray:3 3}\
.dot{fill:#1b1f24}.line{fill:none;stroke-width:2.2;stroke-linejoin:round}.c0{stroke:#0b6bcb}.c1{stroke:#b3541e}.c2{stroke:#1a7f4b}\
.c3{stroke:#8a3ffc}.c4{stroke:#c2185b}.c5{stroke:#8a6d00}.c6{stroke:#00788a}.c7{stroke:#555e68}\
@media (prefers-color-scheme:dark){.paper{fill:#0f1419}text,.dot{fill:#e6e9ed}.soft{fill:#9aa4af}.grid{stroke:#30363d}\
.axis,.mark{stroke:#9aa4af}.c0{stroke:#6cb2ff}.c1{stroke:#ff9d66}.c2{stroke:#5fd394}.c3{stroke:#c4a0ff}\
.c4{stroke:#ff85b0}.c5{stroke:#e6c34a}.c6{stroke:#5fd0e0}.c7{stroke:#b5bec8}}";

/// A plot, and what its reader has to know.
pub(super) struct Plot {
    pub(super) text: String,
    pub(super) remark: Option<String>,
}

/// The ranges of both axes.
struct Scale {
    load: u64,
    month: Usd,
}

/// Returns the plot of the dearest traffic of a plan.
pub(super) fn svg(plan: &Plan) -> Plot {
    let Some(traffic) = plan.traffic.first() else {
        return Plot { text: String::new(), remark: None };
    };
    let remark = (plan.traffic.len() > 1)
        .then(|| format!("the plot shows {}; `--model` chooses another\n", title(&traffic.key)));
    let curves: Vec<(&Quote, Curve)> =
        traffic.quotes.iter().filter_map(|quote| Some((quote, quote.curve?))).collect();
    let scale = Scale::of(traffic, &curves);
    let mut svg = head(plan, traffic);
    svg.push_str(&axes(&scale));
    svg.push_str(&marks(traffic, &scale));
    for (place, (quote, curve)) in curves.iter().enumerate() {
        svg.push_str(&line(place, quote, curve, &scale));
    }
    svg.push_str("</svg>\n");
    Plot { text: svg, remark }
}

impl Scale {
    fn of(traffic: &TrafficPlan, curves: &[(&Quote, Curve)]) -> Self {
        let minutes = &traffic.minutes;
        let busiest = minutes.tokens(Percentile::Max).unwrap_or(0);
        let busiest = busiest.max(minutes.longer_mean_max.unwrap_or(0)).max(10);
        let units = curves.iter().filter_map(|(quote, _)| quote.unit);
        let crossings: Vec<u64> = units.filter_map(|unit| unit.break_even).collect();
        let within = |times: u64| {
            crossings.iter().copied().filter(move |load| *load <= busiest.saturating_mul(times))
        };
        let crossing = within(WIDER_FOR_ALL).max().or_else(|| within(WIDER_FOR_ONE).min());
        let load = busiest.max(crossing.unwrap_or(0));
        let load = load.saturating_add(load / 6);
        let highest = |is_line: bool| {
            let wanted =
                curves.iter().filter(|(_, curve)| matches!(curve, Curve::Line { .. }) == is_line);
            wanted.map(|(_, curve)| curve.month(load)).collect::<Vec<_>>()
        };
        let by_token = highest(true).into_iter().max().unwrap_or_default();
        let limit = by_token.0.saturating_mul(HIGHER_MAX);
        let units = highest(false).into_iter().filter(|month| limit == 0 || month.0 <= limit);
        let month = units.max().unwrap_or_default().max(by_token).max(Usd(1));
        Self { load, month: Usd(month.0.saturating_add(month.0 / 12)) }
    }

    fn x(&self, load: u64) -> u64 {
        let across = u128::from(load) * u128::from(FRAME.0) / u128::from(self.load.max(1));
        LEFT + u64::try_from(across).unwrap_or(u64::MAX).min(FRAME.0 * 2)
    }

    /// Returns the place of dollars; above the frame for what is beyond the scale.
    fn y(&self, month: Usd) -> i64 {
        let frame = i128::from(FRAME.1);
        let up = month.0.saturating_mul(frame) / self.month.0.max(1);
        let bottom = i64::try_from(TOP + FRAME.1).unwrap_or(0);
        bottom - i64::try_from(up.min(frame * 2)).unwrap_or(0)
    }
}

fn head(plan: &Plan, traffic: &TrafficPlan) -> String {
    let name = escaped(&title(&traffic.key), TITLE_CHARS);
    let (from, to) = (plan.window.from.second_text(), plan.window.to.second_text());
    let (right, bottom) = FRAME;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n\
         <title>What a month costs at a sustained load: {name}</title>\n\
         <style>{STYLE}</style>\n\
         <clipPath id=\"frame\"><rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{right}\" height=\"{bottom}\"/></clipPath>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"30\">What a month costs at a sustained load</text>\n\
         <text x=\"{LEFT}\" y=\"52\">{name}</text>\n\
         <text class=\"soft\" x=\"{LEFT}\" y=\"71\">mix of tokens as from {from} to {to}; 730 hours a month</text>\n"
    )
}

fn axes(scale: &Scale) -> String {
    let (right, bottom, top) = (LEFT + FRAME.0, TOP + FRAME.1, TOP);
    let mut svg = String::new();
    let load_step = tick(u128::from(scale.load), 6);
    for place in 0u128.. {
        let Ok(load) = u64::try_from(place * load_step) else { break };
        if load > scale.load {
            break;
        }
        let (x, y) = (scale.x(load), bottom + 20);
        let label = short(load);
        svg.push_str(&format!(
            "<path class=\"grid\" d=\"M{x} {top}V{bottom}\"/><text class=\"soft\" x=\"{x}\" y=\"{y}\" \
             text-anchor=\"middle\">{label}</text>\n"
        ));
    }
    let month_step = i128::try_from(tick(scale.month.0.unsigned_abs(), 6)).unwrap_or(i128::MAX);
    for place in 0i128.. {
        let month = Usd(place.saturating_mul(month_step));
        if month > scale.month {
            break;
        }
        let (x, y) = (LEFT - 8, scale.y(month));
        let label = axis_dollars(month);
        svg.push_str(&format!(
            "<path class=\"grid\" d=\"M{LEFT} {y}H{right}\"/><text class=\"soft\" x=\"{x}\" y=\"{}\" \
             text-anchor=\"end\">{label}</text>\n",
            y + 4
        ));
    }
    let (middle, below) = (LEFT + FRAME.0 / 2, bottom + 46);
    let across = TOP + FRAME.1 / 2;
    svg.push_str(&format!(
        "<path class=\"axis\" fill=\"none\" d=\"M{LEFT} {top}V{bottom}H{right}\"/>\n\
         <text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">sustained load, tokens a minute (input and output)</text>\n\
         <text transform=\"translate(22 {across}) rotate(-90)\" text-anchor=\"middle\">US dollars a month</text>\n"
    ));
    svg
}

/// Lines at the measured minutes. Labels that would touch stand in rows above each other.
fn marks(traffic: &TrafficPlan, scale: &Scale) -> String {
    let mut svg = String::new();
    let mut ends: [u64; 2] = [0; 2];
    let mut merged: Vec<(u64, String)> = Vec::new();
    for percentile in Percentile::ALL {
        let Some(tokens) = traffic.minutes.tokens(percentile) else { continue };
        match merged.last_mut() {
            Some((known, names)) if scale.x(*known).abs_diff(scale.x(tokens)) < 8 => {
                names.push_str(&format!(", {}", percentile.as_str()));
            }
            _ => merged.push((tokens, percentile.as_str().to_owned())),
        }
    }
    for (tokens, names) in merged {
        let x = scale.x(tokens);
        let half = names.len() as u64 * 4;
        let row = ends.iter().position(|end| *end <= x.saturating_sub(half));
        let row = row.unwrap_or(0);
        if let Some(end) = ends.get_mut(row) {
            *end = x + half + 6;
        }
        let (y, bottom) = (TOP - 6 - 13 * row as u64, TOP + FRAME.1);
        let exact = grouped(tokens);
        svg.push_str(&format!(
            "<path class=\"mark\" d=\"M{x} {TOP}V{bottom}\"><title>{names} of minutes: {exact} tokens</title></path>\
             <text class=\"soft\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{names}</text>\n"
        ));
    }
    svg
}

fn line(place: usize, quote: &Quote, curve: &Curve, scale: &Scale) -> String {
    let colour = place % COLOURS;
    let dashes = DASHES.get(place / COLOURS % DASHES.len()).copied().unwrap_or("");
    let mut name = escaped(&quote.offer.title(), NAME_CHARS);
    if curve.month(0).max(curve.month(1)) > scale.month {
        name.push_str(" (above)");
    }
    let path = path(curve, scale);
    let (x, y) = (LEFT + FRAME.0 + 24, TOP + 14 + 22 * place as u64);
    let (end, text, below) = (x + 28, x + 36, y + 4);
    let style = format!("class=\"line c{colour}\" stroke-dasharray=\"{dashes}\"");
    let crossing = crossing(quote, curve, scale).unwrap_or_default();
    format!(
        "<path clip-path=\"url(#frame)\" {style} d=\"{path}\"/>\n\
         <path {style} d=\"M{x} {y}H{end}\"/><text x=\"{text}\" y=\"{below}\">{name}</text>{crossing}\n"
    )
}

/// Returns a dot where units begin to pay, if that is in the frame and they can serve it.
fn crossing(quote: &Quote, curve: &Curve, scale: &Scale) -> Option<String> {
    let load = quote.unit?.break_even.filter(|load| *load <= scale.load)?;
    let fleet = quote.cost.as_ref().ok()?.fleet.as_ref()?;
    let month = curve.month(load);
    if !fleet.can_pay(Some(load)) || month > scale.month {
        return None;
    }
    let (x, y, exact) = (scale.x(load), scale.y(month), grouped(load));
    Some(format!(
        "<circle class=\"dot\" cx=\"{x}\" cy=\"{y}\" r=\"5\"><title>pays from {exact} tokens a minute \
         on</title></circle>"
    ))
}

fn path(curve: &Curve, scale: &Scale) -> String {
    let at = |load: u64| (scale.x(load), scale.y(curve.month(load)));
    match *curve {
        Curve::Line { .. } => {
            let ((x0, y0), (x1, y1)) = (at(0), at(scale.load));
            format!("M{x0} {y0}L{x1} {y1}")
        }
        Curve::Steps { unit, .. } if scale.load / unit.max(1) <= STEPS_MAX => {
            let (x, y) = at(1);
            let mut path = format!("M{} {y}", x.min(LEFT));
            for step in 1..=scale.load / unit.max(1) {
                let load = step.saturating_mul(unit);
                let (next, up) = (scale.x(load), scale.y(curve.month(load.saturating_add(1))));
                path.push_str(&format!("H{next}V{up}"));
            }
            path.push_str(&format!("H{}", scale.x(scale.load)));
            path
        }
        Curve::Steps { .. } => {
            let points = (0..=STEPS_MAX).map(|step| {
                let load = u128::from(scale.load) * u128::from(step) / u128::from(STEPS_MAX);
                let (x, y) = at(u64::try_from(load).unwrap_or(u64::MAX).max(1));
                format!("{x} {y}")
            });
            format!("M{}", points.collect::<Vec<_>>().join("L"))
        }
    }
}

/// Returns 1, 2 or 5 times a power of ten that divides `range` into at most `parts`.
fn tick(range: u128, parts: u128) -> u128 {
    let mut power = 1u128;
    loop {
        for times in [1, 2, 5] {
            let step = power.saturating_mul(times);
            if range / step <= parts {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// Returns a round number without its zeros.
fn short(number: u64) -> String {
    for (unit, name) in [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")] {
        if number >= unit && number.is_multiple_of(unit / 10) {
            let (whole, tenth) = (number / unit, number % unit / (unit / 10));
            let fraction = if tenth == 0 { String::new() } else { format!(".{tenth}") };
            return format!("{}{fraction}{name}", grouped(whole));
        }
    }
    grouped(number)
}

fn axis_dollars(usd: Usd) -> String {
    if usd.0 >= PICODOLLARS_PER_USD {
        let whole = usd.0 / PICODOLLARS_PER_USD;
        let rest = Usd(usd.0 % PICODOLLARS_PER_USD).to_string();
        let fraction =
            rest.split_once('.').map_or_else(String::new, |(_, text)| format!(".{text}"));
        return format!("${}{fraction}", grouped(whole.unsigned_abs()));
    }
    format!("${usd}")
}

/// Returns a text for XML, cut to `chars`.
fn escaped(text: &str, chars: usize) -> String {
    let is_cut = text.chars().count() > chars;
    let kept = text.chars().take(if is_cut { chars.saturating_sub(1) } else { chars });
    let mut escaped = String::new();
    for c in kept.chain(is_cut.then_some('…')) {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no place for these, escaped or not.
            c if c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c) => {
                escaped.push('\u{fffd}');
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for (range, step) in
            [(1, 1), (6, 1), (7, 2), (13, 2), (14, 5), (35, 10), (999_999, 200_000)]
        {
            assert_eq!(tick(range, 6), step, "{range}");
        }
        assert_eq!(short(1_500_000), "1.5M");
        assert_eq!(short(250), "250");
        assert_eq!(axis_dollars(Usd(1_250 * PICODOLLARS_PER_USD)), "$1,250");
        assert_eq!(axis_dollars(Usd(PICODOLLARS_PER_USD / 20)), "$0.05");
    }

    #[test]
    fn text_of_logs_can_not_leave_its_place() {
        let hostile = "</text><script>alert('1')</script>\u{1b}\u{ffff}\"&";
        assert_eq!(
            escaped(hostile, 100),
            "&lt;/text&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;\u{fffd}\u{fffd}&quot;&amp;"
        );
        assert_eq!(escaped("abcdef", 4), "abc…");
    }
}
