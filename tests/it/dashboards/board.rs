//! A board: its variables, its links, and its rows of panels from left to right.
//!
//! In queries `CALLS`, `POOL`, `PLACE` and `MODEL` stand for the selectors of the variables, as far as the labels of
//! a metric go. Whatever is chosen for "All" matches a label that is missing as well.

use serde_json::{Value, json};

use super::panel::Panel;

/// Columns of Grafana's grid.
pub(crate) const GRID_COLUMNS: u64 = 24;
/// The newest schema of Grafana 11; Grafana 12 raises it by itself.
const SCHEMA_VERSION: u64 = 39;
/// What leads from one board to the others.
const TAG: &str = "tollkeeper";

/// What stands for the labels of a metric: of calls and what is counted of them,
const CALLS: &str = r#"account=~"$account",region=~"$region",model=~"$model",route=~"$route",principal=~"$principal""#;
/// of quotas and prices,
const POOL: &str = r#"account=~"$account",region=~"$region",model=~"$model",route=~"$route""#;
/// of records beside calls, which often name neither,
const PLACE: &str = r#"account=~"$account|unknown",region=~"$region|unknown""#;
/// and of what is known by model only.
const MODEL: &str = r#"model=~"$model""#;

/// The variables that every board has, in the order of their choice: each one offers what the ones before leave.
const LABELS: [(&str, &str, &str); 5] = [
    ("account", "Account", ""),
    ("region", "Region", ""),
    ("model", "Model", ""),
    (
        "route",
        "Route",
        "How a model is reached: in the region, through a geographic or a global profile.",
    ),
    (
        "principal",
        "Caller",
        "Offers something only with `principal = true` in `[labels]` of the config of Tollkeeper; \"All\" is right without.",
    ),
];

/// A board that is being put together.
pub(crate) struct Board {
    json: Value,
    variables: Vec<Value>,
    panels: Vec<Value>,
    x: u64,
    y: u64,
    /// Height of the highest panel of the present line.
    line: u64,
}

impl Board {
    pub(crate) fn new(uid: &str, title: &str, from: &str, description: &str) -> Self {
        let json = json!({
            "id": null,
            "uid": uid,
            "title": title,
            "description": description,
            "tags": [TAG],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": true,
            "graphTooltip": 1,
            "timezone": "browser",
            "weekStart": "",
            "fiscalYearStartMonth": 0,
            "time": {"from": from, "to": "now"},
            "timepicker": {},
            "refresh": "1m",
            "links": links(),
            "annotations": {"list": [firing()]},
            "templating": {},
            "panels": [],
        });
        let mut board =
            Self { json, variables: Vec::new(), panels: Vec::new(), x: 0, y: 0, line: 0 };
        board.variables.push(json!({
            "name": "datasource",
            "label": "Prometheus",
            "type": "datasource",
            "query": "prometheus",
            "regex": "",
            "refresh": 1,
            "multi": false,
            "includeAll": false,
            "hide": 0,
            "skipUrlSync": false,
            "current": nothing_chosen(),
            "options": [],
        }));
        board.add_labels();
        board.variables.push(json!({
            "name": "runbook_url",
            "label": "Runbook",
            "description": "Where alerts/RUNBOOK.md can be read; panels lead to its sections.",
            "type": "constant",
            "query": "https://example.org/RUNBOOK.md",
            "hide": 2,
            "skipUrlSync": true,
        }));
        board
    }

    fn add_labels(&mut self) {
        let mut chosen = String::new();
        for (name, title, description) in LABELS {
            let query = format!("label_values(tollkeeper_requests_total{chosen}, {name})");
            self.variable(name, title, description, &query, true);
            let matcher = format!("{name}=~\"${name}\"");
            chosen = match chosen.strip_suffix('}') {
                None => format!("{{{matcher}}}"),
                Some(before) => format!("{before},{matcher}}}"),
            };
        }
    }

    /// Adds a variable of the values of a label: any number of them and "All", or just one.
    pub(crate) fn variable(
        &mut self,
        name: &str,
        title: &str,
        description: &str,
        query: &str,
        is_multi: bool,
    ) {
        let all = json!({"text": ["All"], "value": ["$__all"]});
        let current = if is_multi { all } else { nothing_chosen() };
        let mut variable = json!({
            "name": name,
            "label": title,
            "description": description,
            "type": "query",
            "datasource": data_source(),
            "definition": query,
            "query": {
                "query": query,
                "qryType": 1,
                "refId": "PrometheusVariableQueryEditor-VariableQuery",
            },
            "regex": "",
            "refresh": 2,
            "sort": 1,
            "multi": is_multi,
            "includeAll": is_multi,
            "hide": 0,
            "skipUrlSync": false,
            "current": current,
            "options": [],
        });
        if is_multi {
            variable["allValue"] = json!(".*");
        }
        self.variables.push(variable);
    }

    /// Begins a row.
    pub(crate) fn row(&mut self, title: &str) {
        self.end_line();
        let id = self.next_id();
        self.panels.push(json!({
            "id": id,
            "type": "row",
            "title": title,
            "collapsed": false,
            "gridPos": {"x": 0, "y": self.y, "w": GRID_COLUMNS, "h": 1},
            "panels": [],
        }));
        self.y += 1;
    }

    /// Adds a panel right of the last one, or below where there is no room.
    pub(crate) fn add(&mut self, panel: Panel) {
        if self.x + panel.width > GRID_COLUMNS {
            self.end_line();
        }
        let (width, height) = (panel.width, panel.height);
        let mut json = panel.placed(self.next_id(), self.x, self.y);
        for target in json["targets"].as_array_mut().expect("an array") {
            target["expr"] = json!(selected(target["expr"].as_str().expect("text")));
        }
        self.panels.push(json);
        self.x += width;
        self.line = self.line.max(height);
    }

    fn end_line(&mut self) {
        self.y += self.line;
        (self.x, self.line) = (0, 0);
    }

    fn next_id(&self) -> u64 {
        1 + self.panels.len() as u64
    }

    /// The text of the file.
    pub(crate) fn text(mut self) -> String {
        self.json["templating"] = json!({"list": self.variables});
        self.json["panels"] = json!(self.panels);
        let text = serde_json::to_string_pretty(&self.json).expect("JSON");
        format!("{text}\n")
    }
}

/// The data source that the variable stands for: no other one is ever named.
pub(crate) fn data_source() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

/// The choice with which Grafana takes its default, or else the first of what there is.
fn nothing_chosen() -> Value {
    json!({"text": "", "value": ""})
}

fn selected(expr: &str) -> String {
    [("CALLS", CALLS), ("POOL", POOL), ("PLACE", PLACE), ("MODEL", MODEL)]
        .iter()
        .fold(expr.to_owned(), |expr, (word, selector)| expr.replace(word, selector))
}

fn links() -> Value {
    let link = |title: &str, kind: &str, icon: &str| {
        json!({
            "title": title,
            "type": kind,
            "icon": icon,
            "tooltip": "",
            "tags": [],
            "asDropdown": false,
            "targetBlank": false,
            "includeVars": false,
            "keepTime": false,
        })
    };
    let mut boards = link("Tollkeeper", "dashboards", "external link");
    boards["tags"] = json!([TAG]);
    boards["includeVars"] = json!(true);
    boards["keepTime"] = json!(true);
    let mut runbook = link("Runbook", "link", "doc");
    runbook["url"] = json!("${runbook_url}");
    runbook["targetBlank"] = json!(true);
    json!([boards, runbook])
}

/// Marks on every panel while an alert fires in the daemon.
fn firing() -> Value {
    let expr = "max by (alert) (tollkeeper_alerts_firing) > 0";
    let step = "60s";
    json!({
        "name": "Alerts firing",
        "datasource": data_source(),
        "enable": true,
        "hide": false,
        "iconColor": "red",
        // Grafana 11 looks here,
        "expr": expr,
        "step": step,
        // and Grafana 12 there.
        "target": {"refId": "Anno", "expr": expr, "interval": step, "range": true},
        "titleFormat": "{{alert}}",
        "textFormat": "",
        "tagKeys": "alert",
        "useValueForTime": false,
    })
}
