//! One panel of a board, as Grafana 11 and 12 read it: what is the same for all panels of a kind is said here
//! once. Holds no query and no text of a board.

use serde_json::{Value, json};

use super::board::data_source;

/// Colours of Grafana's palette that mean something everywhere.
pub(crate) const GOOD: &str = "green";
pub(crate) const WARN: &str = "orange";
pub(crate) const BAD: &str = "red";

/// Where links of panels lead: the variable `runbook_url` of each board, and the section of an alert.
const RUNBOOK: &str = "${runbook_url}";

/// A panel that is being put together.
pub(crate) struct Panel {
    json: Value,
    pub(crate) width: u64,
    pub(crate) height: u64,
}

impl Panel {
    fn new(kind: &str, [title, unit]: [&str; 2], description: &str, options: &Value) -> Self {
        let json = json!({
            "id": 0,
            "type": kind,
            "title": title,
            "description": description,
            "datasource": data_source(),
            "gridPos": {},
            "targets": [],
            "fieldConfig": {
                "defaults": {
                    "unit": unit,
                    "color": {"mode": "palette-classic"},
                    "thresholds": {"mode": "absolute", "steps": [{"value": null, "color": GOOD}]},
                },
                "overrides": [],
            },
            "options": options,
        });
        Self { json, width: 12, height: 8 }
    }

    /// Values over time. `head` is title and unit, here and below.
    pub(crate) fn series(head: [&str; 2], description: &str) -> Self {
        let options = json!({
            "legend": {
                "displayMode": "table",
                "placement": "bottom",
                "showLegend": true,
                "calcs": ["mean", "max", "lastNotNull"],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        });
        let mut panel = Self::new("timeseries", head, description, &options);
        panel.defaults()["custom"] = json!({
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 8,
            "showPoints": "auto",
            "spanNulls": false,
            "stacking": {"mode": "none", "group": "A"},
            "thresholdsStyle": {"mode": "off"},
        });
        panel
    }

    /// One number.
    pub(crate) fn number(head: [&str; 2], description: &str) -> Self {
        let options = json!({
            "reduceOptions": {"values": false, "calcs": ["lastNotNull"], "fields": ""},
            "orientation": "auto",
            "textMode": "auto",
            "wideLayout": true,
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "showPercentChange": false,
            "percentChangeColorMode": "standard",
        });
        let mut panel = Self::new("stat", head, description, &options).size(4, 4);
        panel.defaults()["color"] = json!({"mode": "thresholds"});
        panel
    }

    /// A bar for each value of a label.
    pub(crate) fn bars(head: [&str; 2], description: &str) -> Self {
        let options = json!({
            "reduceOptions": {"values": false, "calcs": ["lastNotNull"], "fields": ""},
            "orientation": "horizontal",
            "displayMode": "basic",
            "valueMode": "color",
            "namePlacement": "auto",
            "showUnfilled": true,
            "sizing": "auto",
            "minVizWidth": 8,
            "minVizHeight": 16,
            "maxVizHeight": 300,
            "legend": {"showLegend": false, "displayMode": "list", "placement": "bottom", "calcs": []},
        });
        let mut panel = Self::new("bargauge", head, description, &options);
        panel.defaults()["color"] = json!({"mode": "thresholds"});
        panel
    }

    /// Rows of labels, with a column for each query; [`Self::columns`] names them.
    pub(crate) fn table(head: [&str; 2], description: &str) -> Self {
        let options = json!({"frameIndex": 0, "showHeader": true, "cellHeight": "sm"});
        let mut panel = Self::new("table", head, description, &options);
        panel.defaults()["custom"] =
            json!({"align": "auto", "cellOptions": {"type": "auto"}, "inspect": false});
        panel
    }

    /// A row for each series and a cell for each step, coloured by its value.
    pub(crate) fn heat_map(head: [&str; 2], description: &str) -> Self {
        let [_, unit] = head;
        let options = json!({
            "calculate": false,
            "cellGap": 1,
            "cellValues": {"unit": unit},
            "color": {
                "mode": "scheme",
                "scheme": "Oranges",
                "fill": "dark-orange",
                "scale": "exponential",
                "exponent": 0.5,
                "steps": 64,
                "reverse": false,
            },
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": true},
            "rowsFrame": {"layout": "auto", "value": "Spent"},
            "showValue": "auto",
            "tooltip": {"mode": "single", "showColorScale": true, "yHistogram": false},
            "yAxis": {"axisPlacement": "left", "reverse": false},
        });
        Self::new("heatmap", head, description, &options)
    }

    fn defaults(&mut self) -> &mut Value {
        &mut self.json["fieldConfig"]["defaults"]
    }

    pub(crate) fn size(mut self, width: u64, height: u64) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    fn target(mut self, expr: &str, rest: &Value) -> Self {
        let targets = self.json["targets"].as_array_mut().expect("an array");
        let letter = u8::try_from(targets.len()).expect("few targets");
        let mut target = json!({
            "refId": char::from(b'A' + letter).to_string(),
            "datasource": data_source(),
            "editorMode": "code",
            "expr": expr,
        });
        merge(&mut target, rest);
        targets.push(target);
        self
    }

    /// A query over the range of the board.
    pub(crate) fn query(self, expr: &str, legend: &str) -> Self {
        self.target(expr, &json!({"legendFormat": legend, "range": true, "format": "time_series"}))
    }

    /// A query at the end of the range.
    pub(crate) fn last(self, expr: &str, legend: &str) -> Self {
        self.target(
            expr,
            &json!({"legendFormat": legend, "instant": true, "range": false, "format": "time_series"}),
        )
    }

    /// The columns of a table: title, unit and query of each, all with the same labels, which are the first columns
    /// under these titles. The first one sorts, the largest value above.
    pub(crate) fn columns(mut self, labels: &[(&str, &str)], columns: &[[&str; 3]]) -> Self {
        assert!(columns.len() > 1, "Grafana names the column of a lone query otherwise");
        let mut names = serde_json::Map::new();
        for (label, title) in labels {
            names.insert((*label).to_owned(), json!(title));
        }
        let mut letters = b'A'..;
        for [title, unit, expr] in columns {
            self = self.target(expr, &json!({"instant": true, "range": false, "format": "table"}));
            let letter = char::from(letters.next().expect("few columns"));
            names.insert(format!("Value #{letter}"), json!(title));
            self = self.with(title, &[("unit", json!(unit))]);
        }
        let order: serde_json::Map<_, _> =
            names.keys().enumerate().map(|(place, name)| (name.clone(), json!(place))).collect();
        self.json["transformations"] = json!([
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {"Time": true},
                    "indexByName": order,
                    "renameByName": names,
                },
            },
        ]);
        self.json["options"]["sortBy"] = json!([{"displayName": columns[0][0], "desc": true}]);
        self
    }

    /// Changes how the series or the column of this name looks.
    pub(crate) fn with(mut self, name: &str, properties: &[(&str, Value)]) -> Self {
        let properties: Vec<Value> =
            properties.iter().map(|(id, value)| json!({"id": id, "value": value})).collect();
        let overrides = self.json["fieldConfig"]["overrides"].as_array_mut().expect("an array");
        let matcher = json!({"id": "byName", "options": name});
        if let Some(found) = overrides.iter_mut().find(|one| one["matcher"] == matcher) {
            found["properties"].as_array_mut().expect("an array").extend(properties);
        } else {
            overrides.push(json!({"matcher": matcher, "properties": properties}));
        }
        self
    }

    /// A cell of this column leads to another board, with its value as the value of a variable.
    pub(crate) fn leads_to(self, column: &str, board: &str, variable: &str) -> Self {
        let chosen = format!("var-{variable}=${{__value.raw:percentencode}}");
        let url = format!("/d/{board}?${{__url_time_range}}&${{datasource:queryparam}}&{chosen}");
        self.with(column, &[("links", json!([{"title": "Only this one", "url": url}]))])
    }

    /// Areas on one another.
    pub(crate) fn stacked(mut self) -> Self {
        let custom = &mut self.defaults()["custom"];
        custom["stacking"]["mode"] = json!("normal");
        custom["fillOpacity"] = json!(60);
        custom["lineWidth"] = json!(0);
        self
    }

    /// A dashed line of this name, in this colour.
    pub(crate) fn dashed(self, name: &str, color: &str) -> Self {
        self.with(
            name,
            &[
                ("custom.lineStyle", json!({"fill": "dash", "dash": [10, 10]})),
                ("custom.fillOpacity", json!(0)),
                ("color", json!({"mode": "fixed", "fixedColor": color})),
            ],
        )
    }

    /// The area from the series `low` up to the series `high`.
    pub(crate) fn band(self, low: &str, high: &str) -> Self {
        let thin = |panel: Self, name| panel.with(name, &[("custom.lineWidth", json!(0))]);
        thin(thin(self, low), high)
            .with(low, &[("custom.fillOpacity", json!(0))])
            .with(high, &[("custom.fillBelowTo", json!(low)), ("custom.fillOpacity", json!(20))])
    }

    /// From these values on another colour.
    pub(crate) fn steps(mut self, from: &[(f64, &str)]) -> Self {
        let steps = self.defaults()["thresholds"]["steps"].as_array_mut().expect("an array");
        steps.extend(from.iter().map(|(value, color)| json!({"value": value, "color": color})));
        self
    }

    /// The same where small values are the bad ones: `color` holds below the first step.
    pub(crate) fn rising(mut self, color: &str, from: &[(f64, &str)]) -> Self {
        self.defaults()["thresholds"]["steps"][0]["color"] = json!(color);
        self.steps(from)
    }

    /// A line at the steps of thresholds.
    pub(crate) fn lines(mut self) -> Self {
        self.defaults()["custom"]["thresholdsStyle"]["mode"] = json!("line");
        self
    }

    pub(crate) fn min(mut self, value: f64) -> Self {
        self.defaults()["min"] = json!(value);
        self
    }

    pub(crate) fn max(mut self, value: f64) -> Self {
        self.defaults()["max"] = json!(value);
        self
    }

    /// What is shown where there is no value.
    pub(crate) fn or(mut self, text: &str) -> Self {
        self.defaults()["noValue"] = json!(text);
        self
    }

    /// A step of at least `interval`: shorter ones hold too few calls for a ratio.
    pub(crate) fn step(mut self, interval: &str) -> Self {
        self.json["interval"] = json!(interval);
        self
    }

    /// A step of at least `interval`, over the last `time_from` whatever the range of the board is.
    pub(crate) fn steps_of(mut self, interval: &str, time_from: &str) -> Self {
        self.json["interval"] = json!(interval);
        self.json["timeFrom"] = json!(time_from);
        self
    }

    /// Leads to the section of this alert in the runbook.
    pub(crate) fn runbook(mut self, alert: &str) -> Self {
        let url = format!("{RUNBOOK}#{}", alert.to_ascii_lowercase());
        self.json["links"] = json!([{
            "title": format!("Runbook: {alert}"),
            "type": "link",
            "url": url,
            "icon": "doc",
            "tooltip": "",
            "tags": [],
            "asDropdown": false,
            "targetBlank": true,
            "includeVars": false,
            "keepTime": false,
        }]);
        self
    }

    /// The panel with its number and place.
    pub(crate) fn placed(mut self, id: u64, x: u64, y: u64) -> Value {
        self.json["id"] = json!(id);
        self.json["gridPos"] = json!({"x": x, "y": y, "w": self.width, "h": self.height});
        self.json
    }
}

fn merge(into: &mut Value, from: &Value) {
    for (key, value) in from.as_object().expect("an object") {
        into[key] = value.clone();
    }
}
