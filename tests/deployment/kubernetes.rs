//! The manifests of Kubernetes. There is no cluster here: they are put together, checked against the schemas of
//! Kubernetes, and against what the program needs.

use std::path::{Path, PathBuf};
use std::process::Command;

use loquet_tests::skip;
use serde_json::{Value, json};

use super::containers::yaml;
use super::{deploy, loquet, names_settings_only, root, run, text};

/// Each overlay, and how many nodes it has.
const OVERLAYS: [(&str, u64); 4] =
    [("embedded", 1), ("postgres", 3), ("kurrentdb", 3), ("postgres-kafka", 3)];

/// Puts an overlay together. `None` if no kustomize is installed.
fn built(test: &str, overlay: &str) -> Option<String> {
    kustomized(test, &deploy("kubernetes/overlays").join(overlay))
}

/// Puts the manifests of a directory together.
fn kustomized(test: &str, folder: &Path) -> Option<String> {
    let tool = root().join("target/test-tools/bin/kustomize");
    if tool.exists() {
        return Some(run(Command::new(tool).arg("build").arg(folder)));
    }
    skip::unless_installed(test, "kubectl").then(|| run(Command::new("kubectl").arg("kustomize").arg(folder)))
}

/// The objects of a kind.
fn of_kind<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

#[test]
fn every_overlay_is_valid_for_kubernetes() {
    let name = "every_overlay_is_valid_for_kubernetes";
    let Some(validate) = skip::unless_tool(name, "venv/bin/kubernetes-validate") else { return };
    let folder = tempfile::tempdir().unwrap();
    for (overlay, _) in OVERLAYS {
        let Some(manifests) = built(name, overlay) else { return };
        let path = folder.path().join(overlay).with_extension("yaml");
        std::fs::write(&path, manifests).unwrap();
        run(Command::new(&validate).args(["--strict", "--quiet"]).arg(path));
    }
    let overlays = std::fs::read_dir(deploy("kubernetes/overlays")).unwrap();
    assert_eq!(overlays.count(), OVERLAYS.len(), "every overlay is in the list");
}

#[test]
fn nodes_are_confined_probed_and_named() {
    let name = "nodes_are_confined_probed_and_named";
    let Some(python) = skip::unless_tool(name, "venv/bin/python3") else { return };
    for (overlay, nodes) in OVERLAYS {
        let Some(manifests) = built(name, overlay) else { return };
        let objects = yaml(&python, &manifests);
        let set = of_kind(&objects, "StatefulSet").next().unwrap();
        assert_eq!(set["spec"]["replicas"], nodes, "{overlay}");
        let pod = &set["spec"]["template"]["spec"];
        assert_eq!(pod["enableServiceLinks"], false, "LOQUET_PORT would look like a setting");
        assert_eq!(pod["automountServiceAccountToken"], false);
        let security = &pod["securityContext"];
        assert_eq!((&security["runAsNonRoot"], &security["runAsUser"]), (&json!(true), &json!(65532)));
        assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
        let node = &pod["containers"][0];
        assert_eq!(node["image"], format!("loquet:{}", env!("CARGO_PKG_VERSION")));
        let own = json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] },
        });
        assert_eq!(node["securityContext"], own);
        let probed = |probe: &str| node[probe]["httpGet"]["path"].as_str().unwrap().to_owned();
        assert_eq!(
            ["startupProbe", "livenessProbe", "readinessProbe"].map(probed),
            ["/healthz", "/healthz", "/readyz"]
        );
        assert!(
            node["resources"]["requests"]["memory"].is_string()
                && node["resources"]["limits"]["memory"].is_string()
        );
        let environment = node["env"].as_array().unwrap();
        let names_node = environment.iter().find(|variable| variable["name"] == "LOQUET_NODE").unwrap();
        assert_eq!(
            names_node["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name",
            "each node has another name"
        );
        // Secrets are files. A variable only names the file.
        assert!(environment.iter().all(|variable| variable["valueFrom"]["secretKeyRef"].is_null()));
        assert_eq!(of_kind(&objects, "Secret").count(), 0, "no secret is in the manifests");
        // A rotation of the server key reaches a mounted secret only if the whole directory is mounted.
        assert!(node["volumeMounts"].as_array().unwrap().iter().all(|mount| mount["subPath"].is_null()));
        assert_eq!(of_kind(&objects, "PodDisruptionBudget").next().unwrap()["spec"]["maxUnavailable"], 1);
        assert_eq!(of_kind(&objects, "NetworkPolicy").count(), 1);
        assert_eq!(pod["topologySpreadConstraints"].as_array().unwrap().len(), 2);
        // A volume of the embedded store keeps its name when an overlay for several nodes is applied later.
        let keeps = &set["spec"]["persistentVolumeClaimRetentionPolicy"];
        assert_eq!(keeps, &json!({ "whenScaled": "Retain", "whenDeleted": "Retain" }), "{overlay}");
    }
}

/// The settings of a node, with files that exist here instead of the secrets.
fn settings_of(objects: &[Value], secrets: &Path) -> (String, Vec<(String, String)>) {
    let here = |text: &str| text.replace("/run/secrets/loquet", secrets.to_str().unwrap());
    let maps: Vec<_> = of_kind(objects, "ConfigMap").map(|map| map["data"].as_object().unwrap()).collect();
    let file = maps.iter().find_map(|data| data.get("loquet.toml")).unwrap().as_str().unwrap();
    let variables = maps.iter().flat_map(|data| data.iter()).filter(|(name, _)| name.starts_with("LOQUET_"));
    let variables = variables.map(|(name, value)| (name.clone(), here(value.as_str().unwrap())));
    (here(file), variables.collect())
}

#[test]
fn the_settings_of_every_overlay_are_valid() {
    let name = "the_settings_of_every_overlay_are_valid";
    let Some(python) = skip::unless_tool(name, "venv/bin/python3") else { return };
    if !skip::unless_installed(name, "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("secrets");
    run(Command::new(deploy("make-secrets")).arg(&secrets));
    for password in ["smtp", "kafka", "kurrentdb"] {
        std::fs::copy(secrets.join("postgres"), secrets.join(password)).unwrap();
    }
    for authority in ["postgres-ca.pem", "kafka-ca.pem", "kurrentdb-ca.pem"] {
        std::fs::copy(secrets.join("tls.crt"), secrets.join(authority)).unwrap();
    }
    let file: PathBuf = folder.path().join("loquet.toml");
    for (overlay, _) in OVERLAYS {
        let Some(manifests) = built(name, overlay) else { return };
        let (settings, variables) = settings_of(&yaml(&python, &manifests), &secrets);
        std::fs::write(&file, settings).unwrap();
        let mut check = loquet();
        check.arg("--config").arg(&file).args(["config", "check"]).envs(variables);
        assert!(run(&mut check).ends_with("the configuration is valid\n"), "{overlay}");
        names_settings_only(overlay, &manifests);
    }
}

/// What each overlay's nodes open, as the files for a move name it.
#[test]
fn a_move_opens_what_the_nodes_of_each_overlay_open() {
    let name = "a_move_opens_what_the_nodes_of_each_overlay_open";
    let Some(python) = skip::unless_tool(name, "venv/bin/python3") else { return };
    let Some(manifests) = kustomized(name, &deploy("kubernetes/move")) else { return };
    if let Some(validate) = skip::unless_tool(name, "venv/bin/kubernetes-validate") {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("move.yaml");
        std::fs::write(&path, &manifests).unwrap();
        run(Command::new(validate).args(["--strict", "--quiet"]).arg(path));
    }
    let objects = yaml(&python, &manifests);
    let files = of_kind(&objects, "ConfigMap").next().unwrap()["data"].as_object().unwrap();
    let job = of_kind(&objects, "Job").next().unwrap();
    let pod = &job["spec"]["template"]["spec"];
    let arguments: Vec<&str> =
        pod["containers"][0]["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    for flag in ["--from", "--to"] {
        let at = arguments.iter().position(|argument| *argument == flag).unwrap();
        let file = arguments[at + 1].strip_prefix("/etc/loquet-move/").unwrap();
        assert!(files.contains_key(file), "{file}");
    }
    let labels = &job["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"];
    assert_ne!(labels, "loquet", "a service would send requests to it");
    for overlay in ["embedded", "postgres", "kurrentdb"] {
        let Some(manifests) = built(name, overlay) else { return };
        let nodes = yaml(&python, &manifests);
        let set = of_kind(&nodes, "StatefulSet").next().unwrap();
        let claim = &set["spec"]["volumeClaimTemplates"][0]["metadata"]["name"];
        let held = format!("{}-{}-0", claim.as_str().unwrap(), set["metadata"]["name"].as_str().unwrap());
        let claims = pod["volumes"].as_array().unwrap().iter();
        let claims: Vec<_> =
            claims.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str()).collect();
        assert_eq!(claims, [held.as_str()], "the volume of the first node");
        let environment = set["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
        let folder = environment.iter().find(|variable| variable["name"] == "LOQUET_DATA_DIR").unwrap();
        let mut expected = vec![("data_dir".to_owned(), folder["value"].as_str().unwrap().to_owned())];
        let stores = of_kind(&nodes, "ConfigMap").flat_map(|map| map["data"].as_object().unwrap());
        let stores = stores.filter_map(|(variable, value)| {
            let key = variable.strip_prefix("LOQUET_")?.to_lowercase().replacen('_', ".", 1);
            Some((key, value.as_str().unwrap().to_owned()))
        });
        expected.extend(stores);
        expected.sort();
        let file = files[&format!("{overlay}.toml")].as_str().unwrap();
        assert_eq!(settings_in(file), expected, "{overlay}");
    }
}

/// The settings that a file names, with their values.
fn settings_in(file: &str) -> Vec<(String, String)> {
    let (mut section, mut settings) = (String::new(), Vec::new());
    for line in file.lines().filter(|line| !line.starts_with('#')) {
        if let Some(named) = line.strip_prefix('[') {
            section = format!("{}.", named.trim_end_matches(']'));
        } else if let Some((key, value)) = line.split_once(" = ") {
            settings.push((format!("{section}{key}"), value.trim_matches('"').to_owned()));
        }
    }
    settings.sort();
    settings
}

/// The documentation tells which keys the secrets need.
#[test]
fn the_document_names_every_secret_that_the_manifests_need() {
    let document = text(root().join("docs/operations.md"));
    let name = "the_document_names_every_secret_that_the_manifests_need";
    for (overlay, _) in OVERLAYS {
        let Some(manifests) = built(name, overlay) else { return };
        for (at, path) in manifests.match_indices("/run/secrets/loquet/") {
            let key = manifests[at + path.len()..].split(['"', '\n', ' ']).next().unwrap();
            assert!(document.contains(&format!("--from-file={key}")), "{overlay} needs {key}");
        }
    }
}
