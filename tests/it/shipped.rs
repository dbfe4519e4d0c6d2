//! What is shipped to run it: the unit of systemd, the container file, the manifests. They are read as their
//! tools would read them, and must agree with each other and with the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use saphyr::{LoadableYamlNode, Yaml};

use crate::doors::{basic, config, start};
use crate::support::daemon::stdout_of;
use crate::support::tls::{Authority, request};
use crate::support::tools;
use crate::support::work_dir::WorkDir;

const PORT: i64 = 9_478;
const LEDGER: &str = "/var/lib/tollkeeper";
/// `systemd-analyze security` counts from 0 (all shut) to 10.
const EXPOSURE_MAX: f64 = 2.0;
/// Nobody's number in the images without a shell.
const NOBODY: i64 = 65_532;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(example(name)).unwrap()
}

#[test]
fn the_example_of_users_and_certificates_lets_its_user_in() {
    let (work, authority) = (WorkDir::new("web-example"), Authority::new());
    let server = authority.issue("127.0.0.1");
    work.file("server.crt", &server.certificate);
    work.file("server.key", &server.key);
    work.file("web.yml", text("web.yml"));
    let daemon = start(&config(&work, "[web]\nconfig_file = \"web.yml\""));
    let address = daemon.address().unwrap();
    for (password, status) in [("change-me", 200), ("changed", 401)] {
        let login = basic("prometheus", password);
        let answer = request("GET", &address, "/metrics", &[&login], &authority.pem, None).unwrap();
        assert_eq!(answer.status, status, "{password}");
    }
}

/// The values of a key of the unit, in their order.
fn unit_values<'u>(unit: &'u str, key: &str) -> Vec<&'u str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn the_unit_runs_what_there_is_as_nobody_in_particular() {
    let unit = text("systemd/tollkeeper.service");
    let start = unit_values(&unit, "ExecStart");
    let words: Vec<&str> = start[0].split(' ').collect();
    assert_eq!(words[..3], ["/usr/local/bin/tollkeeper", "run", "/etc/tollkeeper/tollkeeper.toml"]);
    assert_eq!(words[3..], ["--ledger", LEDGER]);
    assert!(stdout_of(&["run".as_ref(), "--help".as_ref()]).contains("--ledger"));
    assert_eq!(unit_values(&unit, "StateDirectory"), ["tollkeeper"]);
    assert_eq!(unit_values(&unit, "StateDirectoryMode"), ["0700"]);
    for (key, value) in [
        ("DynamicUser", "yes"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("CapabilityBoundingSet", ""),
        ("UMask", "0077"),
    ] {
        assert_eq!(unit_values(&unit, key), [value], "{key}");
    }
    let config = example("systemd/tollkeeper.toml");
    stdout_of(&["check".as_ref(), "config".as_ref(), config.as_os_str()]);
}

#[test]
fn the_unit_leaves_little_open() {
    let Some(analyze) = tools::find("systemd-analyze", "exposure of the unit") else { return };
    let unit = example("systemd/tollkeeper.service");
    let mut command = Command::new(analyze);
    command.args(["security", "--offline=true", "--no-pager"]).arg(unit);
    let said = String::from_utf8(tools::run(&mut command).stdout).unwrap();
    let level = said.split_once("Overall exposure level for tollkeeper.service: ").unwrap().1;
    let level: f64 = level.split(' ').next().unwrap().parse().unwrap();
    assert!(level <= EXPOSURE_MAX, "{level}\n{said}");
}

#[test]
fn the_container_file_ends_with_nobody_on_a_base_without_a_shell() {
    let text = text("container/Containerfile");
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let steps: Vec<(&str, &str)> = lines.map(|line| line.split_once(' ').expect(line)).collect();
    let known = [
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "USER",
        "VOLUME",
        "EXPOSE",
        "STOPSIGNAL",
        "ENTRYPOINT",
        "CMD",
    ];
    for (step, rest) in &steps {
        assert!(known.contains(step), "{step} {rest}");
        assert!(*step != "FROM" || (rest.contains(':') && !rest.contains(":latest")), "{rest}");
    }
    let last_from = steps.iter().rposition(|(step, _)| *step == "FROM").unwrap();
    let image = &steps[last_from..];
    let value = |wanted: &str| {
        let found: Vec<&str> =
            image.iter().filter(|(step, _)| *step == wanted).map(|(_, rest)| *rest).collect();
        assert_eq!(found.len(), 1, "{wanted}");
        found[0]
    };
    assert!(value("FROM").contains("distroless"), "{}", value("FROM"));
    assert!(!image.iter().any(|(step, _)| *step == "RUN"), "there is no shell in the image");
    assert_eq!(value("USER"), format!("{NOBODY}:{NOBODY}"));
    assert_eq!(value("EXPOSE"), PORT.to_string());
    let list = |wanted: &str| -> Vec<String> { serde_json::from_str(value(wanted)).unwrap() };
    assert_eq!(list("ENTRYPOINT"), ["/usr/local/bin/tollkeeper"]);
    assert_eq!(list("VOLUME"), [LEDGER]);
    let command = list("CMD");
    assert_eq!(command[..2], ["run", "/etc/tollkeeper/tollkeeper.toml"]);
    assert_eq!(command[2..4], ["--ledger", LEDGER]);
    assert_eq!(command[4..], ["--listen".to_owned(), format!("0.0.0.0:{PORT}")]);
    let toolchain =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let version = toolchain.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    assert!(steps[0].1.contains(&format!("rust:{}", version.trim_matches('"'))), "{}", steps[0].1);
}

/// The manifest of a kind; there must be one.
fn manifest<'m>(all: &'m [Yaml<'m>], kind: &str) -> &'m Yaml<'m> {
    let mut found = all.iter().filter(|one| one["kind"].as_str() == Some(kind));
    let one = found.next().unwrap_or_else(|| panic!("there is no {kind}"));
    assert!(found.next().is_none(), "there are several of {kind}");
    one
}

fn strings<'y>(list: &'y Yaml<'y>) -> Vec<&'y str> {
    list.as_vec().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

#[test]
fn the_daemon_set_has_no_rights_and_only_reads_logs() {
    let text = text("kubernetes/daemonset.yaml");
    let all = Yaml::load_from_str(&text).unwrap();
    let set = manifest(&all, "DaemonSet");
    let pod = &set["spec"]["template"]["spec"];
    let context = &pod["securityContext"];
    assert_eq!(context["runAsNonRoot"].as_bool(), Some(true));
    assert_eq!(context["runAsUser"].as_integer(), Some(NOBODY));
    assert_eq!(context["seccompProfile"]["type"].as_str(), Some("RuntimeDefault"));
    assert_eq!(pod["automountServiceAccountToken"].as_bool(), Some(false));
    let containers = pod["containers"].as_vec().unwrap();
    assert_eq!(containers.len(), 1);
    let container = &containers[0];
    let context = &container["securityContext"];
    assert_eq!(context["readOnlyRootFilesystem"].as_bool(), Some(true));
    assert_eq!(context["allowPrivilegeEscalation"].as_bool(), Some(false));
    assert_eq!(strings(&context["capabilities"]["drop"]), ["ALL"]);
    assert_eq!(container["ports"][0]["containerPort"].as_integer(), Some(PORT));
    for (probe, path) in [("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
        let get = &container[probe]["httpGet"];
        assert_eq!(get["path"].as_str(), Some(path));
        assert_eq!(get["port"].as_str(), container["ports"][0]["name"].as_str());
        assert_eq!(get["scheme"].as_str(), Some("HTTPS"));
    }
    let volumes = pod["volumes"].as_vec().unwrap();
    for mount in container["volumeMounts"].as_vec().unwrap() {
        let (name, path) = (mount["name"].as_str().unwrap(), mount["mountPath"].as_str().unwrap());
        let volume = volumes.iter().find(|volume| volume["name"].as_str() == Some(name));
        let volume = volume.unwrap_or_else(|| panic!("there is no volume {name}"));
        let read_only = mount.as_mapping_get("readOnly").and_then(Yaml::as_bool);
        let is_written = read_only != Some(true);
        assert_eq!(is_written, path == LEDGER, "{path}");
        if let Some(on_node) = volume.as_mapping_get("hostPath") {
            assert_eq!(on_node["path"].as_str(), Some(path));
        }
    }
    let labels = &set["spec"]["template"]["metadata"]["labels"];
    let name = labels["app.kubernetes.io/name"].as_str();
    let policy = &manifest(&all, "NetworkPolicy")["spec"];
    for selector in [&set["spec"]["selector"], &policy["podSelector"]] {
        assert_eq!(selector["matchLabels"]["app.kubernetes.io/name"].as_str(), name);
    }
    assert_eq!(strings(&policy["policyTypes"]), ["Ingress", "Egress"]);
    assert_eq!(policy["ingress"].as_vec().unwrap().len(), 1);
    assert_eq!(policy["ingress"][0]["ports"][0]["port"].as_integer(), Some(PORT));
    assert!(policy["ingress"][0]["from"][0]["podSelector"].as_mapping().is_some());
}

#[test]
fn the_config_of_the_daemon_set_is_right_and_fits_its_mounts() {
    let text = text("kubernetes/daemonset.yaml");
    let all = Yaml::load_from_str(&text).unwrap();
    let map = manifest(&all, "ConfigMap");
    let config = map["data"]["tollkeeper.toml"].as_str().unwrap();
    let container = &manifest(&all, "DaemonSet")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(strings(&container["args"]), ["run", "/etc/tollkeeper/tollkeeper.toml"]);
    let mounts = container["volumeMounts"].as_vec().unwrap();
    let mounted: Vec<&str> =
        mounts.iter().filter_map(|mount| mount["mountPath"].as_str()).collect();
    for path in ["/etc/tollkeeper-web/web.yml", LEDGER, "/var/log/pods/"] {
        assert!(config.contains(path), "{path}");
        assert!(
            mounted.iter().any(|mount| path.trim_end_matches('/').starts_with(mount)),
            "{path}"
        );
    }
    assert!(config.contains(&format!("0.0.0.0:{PORT}")));
    let work = WorkDir::new("daemon-set");
    let web = work.file("web.yml", self::text("web.yml"));
    let config = config.replace("/etc/tollkeeper-web/web.yml", web.to_str().unwrap());
    let file = work.file("tollkeeper.toml", config);
    stdout_of(&["check".as_ref(), "config".as_ref(), file.as_os_str()]);
}
