//! `examples/grafana/`: Grafana finds the data source and the boards by files alone.

use saphyr::{LoadableYamlNode, Yaml};

use super::{root, text};

/// What a test has to say of a file that is one mapping.
fn with(name: &str, check: impl Fn(&Yaml)) {
    let text = text(&root().join("examples/grafana/provisioning").join(name));
    let files = Yaml::load_from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let [file] = files.as_slice() else { panic!("{name}: not one document") };
    assert_eq!(file["apiVersion"].as_integer(), Some(1), "{name}");
    check(file);
}

fn only<'y>(file: &'y Yaml<'y>, key: &str) -> &'y Yaml<'y> {
    let list = &file[key];
    assert_eq!(list.as_sequence().map(Vec::len), Some(1), "{key}");
    &list[0]
}

#[test]
fn the_data_source_is_a_prometheus_and_the_default() {
    with("datasources/prometheus.yml", |file| {
        let source = only(file, "datasources");
        assert_eq!(source["type"].as_str(), Some("prometheus"));
        assert_eq!(source["isDefault"].as_bool(), Some(true));
        assert!(source["url"].as_str().unwrap().starts_with("http://"), "{source:?}");
        assert_eq!(source["jsonData"]["timeInterval"].as_str(), Some("15s"));
    });
}

#[test]
fn the_boards_are_found_in_a_folder() {
    with("dashboards/tollkeeper.yml", |file| {
        let provider = only(file, "providers");
        assert_eq!(provider["type"].as_str(), Some("file"));
        assert_eq!(provider["folder"].as_str(), Some("Tollkeeper"));
        let path = provider["options"]["path"].as_str().unwrap();
        assert!(path.ends_with("/dashboards"), "{provider:?}");
    });
}
