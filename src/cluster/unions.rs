//! Unions whose old member the server filled in (`pkg/apis/*/v1/defaults.go`): nobody owns it, so server-side apply of
//! another member keeps it, and the server refuses to have both (kubernetes#99003).
//!
//! An apply removes what its manager has applied before. So the member is put into kplan's record first, as a
//! predecessor's fields are, and the apply itself takes it away: the object changes once.

use serde_json::Value;

use super::ownership;
use crate::diff::Policy;

/// A member that the server fills in.
struct Union {
    group: &'static str,
    kinds: &'static [&'static str],
    /// Keys to the union, or to a list of unions that have names.
    at: &'static [&'static str],
    is_list: bool,
    /// The discriminator, where there is one.
    tag: Option<&'static str>,
    member: &'static str,
}

/// `SetDefaults_Deployment`, `_DaemonSet`, `_StatefulSet` and `_Volume`. The template of a Job never changes.
const UNIONS: [Union; 6] = [
    rolling(&["Deployment"], &["spec", "strategy"]),
    rolling(&["DaemonSet", "StatefulSet"], &["spec", "updateStrategy"]),
    volumes(
        "apps",
        &["Deployment", "DaemonSet", "StatefulSet", "ReplicaSet"],
        &["spec", "template", "spec", "volumes"],
    ),
    volumes("batch", &["CronJob"], &["spec", "jobTemplate", "spec", "template", "spec", "volumes"]),
    volumes("", &["ReplicationController"], &["spec", "template", "spec", "volumes"]),
    volumes("", &["PodTemplate"], &["template", "spec", "volumes"]),
];

const fn rolling(kinds: &'static [&'static str], at: &'static [&'static str]) -> Union {
    Union { group: "apps", kinds, at, is_list: false, tag: Some("type"), member: "rollingUpdate" }
}

const fn volumes(group: &'static str, kinds: &'static [&'static str], at: &'static [&'static str]) -> Union {
    Union { group, kinds, at, is_list: true, tag: None, member: "emptyDir" }
}

/// What is left of an old member in the live object.
pub(super) struct Rest {
    union: &'static Union,
    /// Of the item of a list.
    name: Option<String>,
}

/// The members that only the server wrote and that stand beside another one that is written now.
pub(super) fn rests(live: &Value, payload: &Value, policy: &Policy) -> Vec<Rest> {
    let api = payload["apiVersion"].as_str().unwrap_or_default();
    let group = api.split_once('/').map_or("", |(group, _)| group);
    let mut found = Vec::new();
    for union in UNIONS.iter().filter(|union| union.group == group && union.kinds.iter().any(|k| payload["kind"] == *k))
    {
        let names: Vec<Option<String>> = if union.is_list {
            let items = union.at.iter().fold(payload, |at, key| &at[key]).as_array();
            items.into_iter().flatten().filter_map(|item| item["name"].as_str()).map(|name| Some(name.into())).collect()
        } else {
            vec![None]
        };
        found.extend(
            names
                .into_iter()
                .map(|name| Rest { union, name })
                .filter(|rest| rest.is_left(live, payload) && ownership::is_nobodys(live, &rest.path(), policy)),
        );
    }
    found
}

impl Rest {
    /// As conflicts name it: `.spec.strategy.rollingUpdate`.
    pub(super) fn path(&self) -> String {
        let item = self.name.as_ref().map(|name| format!("[name={}]", Value::from(name.as_str())));
        format!(".{}{}.{}", self.union.at.join("."), item.unwrap_or_default(), self.union.member)
    }

    fn is_left(&self, live: &Value, payload: &Value) -> bool {
        let (Some(live), Some(written)) = (self.get(live), self.get(payload)) else { return false };
        let has = |union: &Value| !union[self.union.member].is_null();
        let differs = match self.union.tag {
            Some(tag) => written[tag].is_string() && written[tag] != live[tag],
            None => self.added(written, live).next().is_some(),
        };
        has(live) && !has(written) && differs
    }

    /// The keys that are written and not there yet.
    fn added<'v>(&self, written: &'v Value, live: &'v Value) -> impl Iterator<Item = &'v String> {
        let keys = written.as_object().into_iter().flatten();
        keys.filter(|(key, value)| !value.is_null() && live[key.as_str()].is_null()).map(|(key, _)| key)
    }

    fn get<'v>(&self, object: &'v Value) -> Option<&'v Value> {
        let union = self.union.at.iter().try_fold(object, |at, key| at.get(key))?;
        match &self.name {
            Some(name) => union.as_array()?.iter().find(|item| item["name"] == name.as_str()),
            None => Some(union),
        }
    }

    fn get_mut<'v>(&self, object: &'v mut Value) -> Option<&'v mut Value> {
        let union = self.union.at.iter().try_fold(object, |at, key| at.get_mut(key))?;
        match &self.name {
            Some(name) => union.as_array_mut()?.iter_mut().find(|item| item["name"] == name.as_str()),
            None => Some(union),
        }
    }

    /// Makes what is to be applied stay with the old member.
    pub(super) fn stay(&self, payload: &mut Value, live: &Value) {
        let (Some(live), Some(written)) = (self.get(live), self.get_mut(payload)) else { return };
        if let Some(tag) = self.union.tag {
            written[tag] = live[tag].clone();
            return;
        }
        let added: Vec<String> = self.added(written, live).cloned().collect();
        if let Some(fields) = written.as_object_mut() {
            fields.retain(|key, _| !added.contains(key));
        }
    }

    /// Puts the new member in the place of the old one.
    pub(super) fn switch(&self, stored: &mut Value, payload: &Value) {
        let (Some(written), Some(stored)) = (self.get(payload), self.get_mut(stored)) else { return };
        if let Some(fields) = stored.as_object_mut() {
            fields.shift_remove(self.union.member);
        }
        ownership::overlay(stored, written);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A Deployment as a 1.36.3 API server stores it, cut to what matters here.
    fn live() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "managedFields": [
                {"manager": "kplan", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": {"f:spec": {
                    "f:template": {"f:spec": {"f:volumes": {"k:{\"name\":\"v\"}": {".": {}, "f:name": {}}}}}}}}]},
            "spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
                "template": {"spec": {"volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "emptyDir": {}}]}}}})
    }

    fn payload() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
            "strategy": {"type": "Recreate"},
            "template": {"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/srv"}}, {"name": "w"}]}}}})
    }

    fn paths(live: &Value, payload: &Value) -> Vec<String> {
        rests(live, payload, &Policy::default()).iter().map(Rest::path).collect()
    }

    const STRATEGY: &str = ".spec.strategy.rollingUpdate";
    const VOLUME: &str = ".spec.template.spec.volumes[name=\"v\"].emptyDir";

    #[test]
    fn what_the_server_filled_in_is_found() {
        assert_eq!(paths(&live(), &payload()), [STRATEGY, VOLUME]);
        let mut same = payload();
        same["spec"]["strategy"]["type"] = "RollingUpdate".into();
        same["spec"]["template"]["spec"]["volumes"][0] = json!({"name": "v"});
        assert!(paths(&live(), &same).is_empty());
        let mut both = payload();
        both["spec"]["strategy"]["rollingUpdate"] = json!({"maxSurge": 1});
        assert_eq!(paths(&live(), &both), [VOLUME]);
    }

    #[test]
    fn what_somebody_owns_is_not() {
        let owned = json!({"f:spec": {"f:strategy": {"f:rollingUpdate": {"f:maxSurge": {}}}}});
        let by = |manager: &str, operation: &str| {
            let mut live = live();
            let entry = json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": owned});
            live["metadata"]["managedFields"].as_array_mut().unwrap().push(entry);
            paths(&live, &payload())
        };
        assert_eq!(by("robot", "Apply"), [VOLUME]);
        assert_eq!(by("kubectl-edit", "Update"), [VOLUME]);
        // What kplan applied goes away by itself.
        assert_eq!(by("kplan", "Apply"), [VOLUME]);
        assert_eq!(by("kubectl-client-side-apply", "Update"), [STRATEGY, VOLUME]);
    }

    #[test]
    fn the_record_has_it_once() {
        let clears = [STRATEGY.to_owned(), VOLUME.to_owned()];
        let record = |live: &Value| ownership::inherited(live, &Policy::default(), &|_| false, &clears);
        let mut later = live();
        later["metadata"]["managedFields"] = record(&live()).unwrap();
        let spec = &later["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"];
        assert_eq!(spec["f:strategy"], json!({"f:rollingUpdate": {}}));
        let volume = &spec["f:template"]["f:spec"]["f:volumes"]["k:{\"name\":\"v\"}"];
        assert_eq!(*volume, json!({".": {}, "f:name": {}, "f:emptyDir": {}}));
        assert_eq!(record(&later), None);
    }

    #[test]
    fn the_new_member_takes_the_place() {
        let (mut held, mut stored) = (payload(), live());
        for rest in rests(&live(), &payload(), &Policy::default()) {
            rest.stay(&mut held, &live());
            rest.switch(&mut stored, &payload());
        }
        assert_eq!(held["spec"]["strategy"], json!({"type": "RollingUpdate"}));
        assert_eq!(held["spec"]["template"]["spec"]["volumes"], json!([{"name": "v"}, {"name": "w"}]));
        assert_eq!(stored["spec"]["strategy"], json!({"type": "Recreate"}));
        let volumes = json!([{"name": "v", "hostPath": {"path": "/srv"}}, {"name": "w", "emptyDir": {}}]);
        assert_eq!(stored["spec"]["template"]["spec"]["volumes"], volumes);
    }
}
