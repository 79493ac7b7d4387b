//! Paths in volumes that hide each other.
//!
//! `warningsForOverlappingVirtualPaths` in `pkg/api/pod/warnings.go` (Kubernetes 1.36).

use super::super::errors::quote;
use super::super::obj::Obj;

/// A path in a volume and what puts it there.
#[derive(Clone, PartialEq)]
struct Mapped {
    path: String,
    source: String,
}

impl Mapped {
    fn describe(&self) -> String {
        match self.source.as_str() {
            "" => quote(&self.path),
            source => format!("{} ({source})", quote(&self.path)),
        }
    }

    fn overlaps(&self, other: &Mapped) -> bool {
        let (own, theirs) = (format!("{}/", self.path), format!("{}/", other.path));
        !self.path.is_empty() && !other.path.is_empty() && (own.starts_with(&theirs) || theirs.starts_with(&own))
    }
}

fn mapped(items: Obj, source: &str) -> Vec<Mapped> {
    let one = |item: Obj| Mapped { path: item.str("path").to_owned(), source: source.to_owned() };
    items.list("items").map(one).collect()
}

/// `warningsForOverlappingVirtualPaths`.
pub(super) fn warnings_for_overlapping_virtual_paths(out: &mut Vec<String>, spec: Obj) {
    for volume in spec.list("volumes") {
        let name = quote(volume.str("name"));
        for (key, label, reference) in [
            ("configMap", "ConfigMap ", "name"),
            ("secret", "Secret ", "secretName"),
            ("downwardAPI", "DownwardAPI", ""),
        ] {
            let source = volume.at(key);
            let title = if reference.is_empty() {
                label.to_owned()
            } else {
                format!("{label}{}", quote(source.str(reference)))
            };
            warn(out, &name, &title, mapped(source, ""));
        }
        let projected = volume.at("projected");
        let mut paths = Vec::new();
        for source in projected.list("sources") {
            if source.0.is_some_and(crate::yaml::View::is_empty) {
                out.push(format!("volume {name} (Projected) has no sources provided"));
            }
            paths.extend(projected_paths(source));
        }
        warn(out, &name, "Projected", paths);
    }
}

fn projected_paths(source: Obj) -> Vec<Mapped> {
    let title = |label: &str, key: &str| format!("{label} {}", quote(source.at(key).str("name")));
    if source.at("configMap").at("items").has() {
        return mapped(source.at("configMap"), &title("ConfigMap", "configMap"));
    }
    if source.at("secret").at("items").has() {
        return mapped(source.at("secret"), &title("Secret", "secret"));
    }
    if source.at("downwardAPI").at("items").has() {
        return mapped(source.at("downwardAPI"), "DownwardAPI");
    }
    let token = source.at("serviceAccountToken");
    if token.has() {
        return vec![Mapped { path: token.str("path").to_owned(), source: "ServiceAccountToken".to_owned() }];
    }
    Vec::new()
}

fn warn(out: &mut Vec<String>, volume: &str, title: &str, paths: Vec<Mapped>) {
    let mut seen: Vec<Mapped> = Vec::new();
    for mut path in paths {
        path.path.truncate(path.path.trim_end_matches('/').len());
        for other in seen.iter().filter(|other| other.overlaps(&path)) {
            out.push(format!(
                "volume {volume} ({title}): overlapping paths: {} with {}",
                path.describe(),
                other.describe()
            ));
        }
        seen.push(path);
    }
}
