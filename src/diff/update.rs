//! What the API server says of an update: which changes it refuses, and which of these a replacement would get through.

use super::fields::same;
use super::place::Place;
use crate::diag::Cause;
use crate::validate;
use crate::yaml::View;

/// Fields that never change, of kinds that validation does not know yet: (group, kind, keys, the server's path).
const FROZEN: &[(&str, &str, &[&str], &str)] = &[
    ("apiextensions.k8s.io", "CustomResourceDefinition", &["spec", "group"], "spec.group"),
    ("apiextensions.k8s.io", "CustomResourceDefinition", &["spec", "names", "kind"], "spec.names.kind"),
    ("apiextensions.k8s.io", "CustomResourceDefinition", &["spec", "names", "plural"], "spec.names.plural"),
    ("apiextensions.k8s.io", "CustomResourceDefinition", &["spec", "scope"], "spec.scope"),
    ("discovery.k8s.io", "EndpointSlice", &["addressType"], "addressType"),
    ("storage.k8s.io", "CSIDriver", &["spec", "attachRequired"], "spec.attachedRequired"),
];

/// The causes for which the API server refuses to make `old` into `new`; both are defaulted.
pub(super) fn causes(group: &str, kind: &str, old: View<'_>, new: View<'_>, place: Place<'_>) -> Vec<Cause> {
    let mut found = validate::update(group, kind, old, new);
    for (_, _, keys, field) in FROZEN.iter().filter(|frozen| (frozen.0, frozen.1) == (group, kind)) {
        let place = keys.iter().fold(place, |place, key| place.child(key));
        let differs = match (old.at(keys), new.at(keys)) {
            (Some(old), Some(new)) => !same(old, new, place),
            (old, new) => [old, new].into_iter().flatten().any(|view| !place.is_zero(view)),
        };
        if differs {
            let value = new.at(keys).map_or_else(|| "null".to_owned(), View::to_json);
            let message = format!("Invalid value: {value}: field is immutable");
            found.push(Cause { field: (*field).to_owned(), reason: "FieldValueInvalid", message });
        }
    }
    found
}

/// Versions of a custom kind that are taken out though objects are stored in them, by what the cluster says of the old
/// definition (`ValidateCustomResourceDefinitionStoredVersions`, apiextensions `pkg/apis/.../validation`).
pub(super) fn stored_versions(kind: &str, old: View<'_>, new: View<'_>) -> Vec<Cause> {
    let stored = old.get("status").filter(|_| kind == "CustomResourceDefinition");
    let stored = stored.into_iter().flat_map(|status| status.list("storedVersions")).filter_map(View::str);
    let versions = new.get("spec").into_iter().flat_map(|spec| spec.list("versions"));
    let versions: Vec<&str> = versions.filter_map(|version| version.get_str("name")).collect();
    let cause = |(index, name): (usize, &str)| Cause {
        field: format!("status.storedVersions[{index}]"),
        reason: "FieldValueInvalid",
        message: format!(
            "Invalid value: \"{name}\": missing from spec.versions; {name} was previously a storage version, and must \
             remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes \
             {name} from status.storedVersions"
        ),
    };
    stored.enumerate().filter(|(_, name)| !versions.contains(name)).map(cause).collect()
}

/// What the API server warns of where it takes the update, less what a rule says better.
pub(super) fn warnings(group: &str, kind: &str, old: View<'_>, new: View<'_>) -> Vec<String> {
    let mut said = validate::update_warnings(group, kind, old, new);
    said.retain(|text| !text.contains("fractional byte value"));
    said
}

/// Whether a cause only says that a field cannot be changed, so that a new object may have it.
pub fn is_immutability(cause: &Cause) -> bool {
    const PHRASES: [&str; 10] = [
        "field is immutable",
        "is immutable after creation",
        "may not change once set",
        "are forbidden",
        "pod updates may not",
        "cannot change roleRef",
        "may not be changed in an update",
        "is immutable when",
        "can only be modified in tandem with",
        "can not be modified except",
    ];
    PHRASES.iter().any(|phrase| cause.message.contains(phrase))
}

/// Whether a field of a spec that is refused as a whole may be the reason.
pub(super) fn is_frozen_in_spec(path: &str) -> bool {
    const FREE: [&str; 9] = [
        "spec.capacity",
        "spec.claimRef",
        "spec.minReadySeconds",
        "spec.ordinals",
        "spec.persistentVolumeClaimRetentionPolicy",
        "spec.replicas",
        "spec.revisionHistoryLimit",
        "spec.template",
        "spec.updateStrategy",
    ];
    path.starts_with("spec.") && !FREE.contains(&path)
}

#[cfg(test)]
mod tests {
    use super::super::fields::compare;
    use super::super::stored::{Side, Stored};
    use super::*;
    use crate::model::Version;
    use crate::schema::Schema;
    use crate::source::SourceText;
    use serde_json::Value;

    /// Answers of a 1.36.3 kube-apiserver to server-side apply of `new` over `old`; messages by their first line.
    const RECORDED: &str = include_str!("../../fixtures/plan/updates-1.36.jsonl");

    /// Where validation says something else yet.
    const OPEN: [&str; 2] = ["PV affinity", "Job suspended image"];

    /// Refused by the server because apply alone leaves a default that the plan clears.
    const CLEARED: [&str; 1] = ["STS strategy"];

    #[test]
    fn updates_are_refused_as_by_the_server() {
        let (mut wrong, mut agree) = (String::new(), 0);
        for line in RECORDED.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let name = row["name"].as_str().unwrap();
            if CLEARED.contains(&name) || OPEN.contains(&name) {
                continue;
            }
            let mut wanted: Vec<(String, String)> = row["causes"].as_array().unwrap().iter().map(recorded).collect();
            let mut found: Vec<(String, String)> =
                answer(&row).into_iter().map(|cause| shown(&cause.field, &cause.message)).collect();
            wanted.sort();
            found.sort();
            if wanted == found {
                agree += 1;
            } else {
                wrong.push_str(&format!("{}:\n  wanted {wanted:?}\n  found  {found:?}\n", row["name"]));
            }
        }
        assert!(wrong.is_empty(), "{agree} agree, but not\n{wrong}");
        println!("{agree} recorded updates agree");
    }

    /// Objects before and after server-side apply, as a 1.36.3 kube-apiserver gives them back.
    const APPLIED: &str = include_str!("../../fixtures/plan/applied-1.36.jsonl");

    /// What admission adds to pods.
    const ADMITTED: [&str; 3] = ["spec.priority", "spec.preemptionPolicy", "spec.tolerations"];

    /// What the server makes up: addresses, node ports, and what ties a Job to its pods.
    const MADE_UP: [&str; 7] =
        ["spec.clusterIP", "spec.ipFamil", "nodePort", "NodePort", "controller-uid", "job-name", "spec.selector"];

    #[test]
    fn applied_objects_are_those_of_the_server() {
        let (mut wrong, mut agree) = (String::new(), 0);
        for line in APPLIED.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let [before, after] =
                ["before", "after"].map(|key| crate::yaml::read(&SourceText::from(row[key].to_string())));
            let root = |file: &'_ crate::yaml::File| file.documents[0].root.unwrap();
            let (before, after) = (before.tree.view(root(&before)), after.tree.view(root(&after)));
            let mut problems = Vec::new();
            with_update(&row, |old, new, place| {
                let fields = |a, b| {
                    let all = compare(Some(a), Some(b), place, &[]).into_iter().map(|field| field.path);
                    all.filter(|path| !MADE_UP.iter().any(|made| path.contains(made)))
                        .filter(|path| !ADMITTED.contains(&path.as_str()))
                        .collect::<Vec<_>>()
                };
                let unlike = fields(new, after);
                if !unlike.is_empty() {
                    problems.push(format!("the object differs in {unlike:?}"));
                }
                let (wanted, found) = (fields(before, after), fields(old, new));
                if wanted != found {
                    problems.push(format!("changes wanted {wanted:?}\n    found {found:?}"));
                }
            });
            if problems.is_empty() {
                agree += 1;
            } else {
                wrong.push_str(&format!("{}: {}\n", row["name"], problems.join("\n  ")));
            }
        }
        assert!(wrong.is_empty(), "{agree} agree, but not\n{wrong}");
        println!("{agree} applied objects agree");
    }

    fn answer(row: &Value) -> Vec<Cause> {
        let mut found = Vec::new();
        with_update(row, |old, new, place| {
            let text = |key: &str| new.get_str(key).unwrap();
            let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
            let live = Stored::live(old, new, text("kind"));
            found = causes(group, text("kind"), live.view(), new, place);
        });
        found
    }

    /// The defaulted old object and the one that apply would store.
    fn with_update(row: &Value, mut ask: impl FnMut(View<'_>, View<'_>, Place<'_>)) {
        let schema = Schema::of(Version::DEFAULT).unwrap();
        let [old, new] = ["old", "new"].map(|key| crate::yaml::read(&SourceText::from(row[key].to_string())));
        let root = |file: &'_ crate::yaml::File| file.documents[0].root.unwrap();
        let (old, new) = (old.tree.view(root(&old)), new.tree.view(root(&new)));
        let (api, kind) = (new.get_str("apiVersion").unwrap(), new.get_str("kind").unwrap());
        let known = schema.served(api, kind).unwrap();
        let [old_full, new_full] = [old, new].map(|view| crate::defaults::object(schema, view, known));
        let place = Place::of(Some(schema), api, kind);
        let before = Side { full: old_full.0.view(old_full.1), written: Some(old) };
        let after = Side { full: new_full.0.view(new_full.1), written: Some(new) };
        let after = Stored::applied(before, after, place, false);
        ask(before.full, after.view(), place);
    }

    fn recorded(cause: &Value) -> (String, String) {
        shown(cause["field"].as_str().unwrap(), cause["message"].as_str().unwrap())
    }

    /// Job templates are shown with labels that the server made up: they are left out.
    fn shown(field: &str, message: &str) -> (String, String) {
        let line = message.lines().next().unwrap();
        let text = if field.starts_with("spec.template") { line.rsplit(": ").next().unwrap() } else { line };
        (field.to_owned(), text.to_owned())
    }
}
