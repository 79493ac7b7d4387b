//! DefaultStorageClass: the class of claims that name none.
//!
//! `plugin/pkg/admission/storage/storageclass/setdefault/admission.go`, `GetDefaultClass` of
//! `pkg/volume/util/storageclass.go` (Kubernetes 1.36).

use std::cmp::Reverse;

use super::{child, set_str};
use crate::model::Bundle;
use crate::yaml::{NodeId, Tree, View};

/// The annotation that chose a class before the field did.
pub(super) const BETA: &str = "volume.beta.kubernetes.io/storage-class";

/// The newest class that is marked as the default; of those of one second the first by name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Newest<'b>(Option<(bool, &'b str, Reverse<&'b str>)>);

impl<'b> Newest<'b> {
    /// Takes in a class; those of the set are newer than what the cluster has.
    pub(super) fn read(&mut self, name: &'b str, class: View<'b>, is_live: bool) {
        let made = class.at(&["metadata", "creationTimestamp"]).and_then(View::str).unwrap_or_default();
        self.0 = self.0.max(Some((!is_live, made, Reverse(name))));
    }

    pub(super) fn name(&self) -> Option<&'b str> {
        self.0.map(|(_, _, Reverse(name))| name)
    }
}

/// Whether a class is marked as the default (`IsDefaultAnnotation`).
pub fn is_default(class: View<'_>) -> bool {
    let marks = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
    let annotations = class.at(&["metadata", "annotations"]);
    annotations.is_some_and(|annotations| marks.iter().any(|mark| annotations.get_str(mark) == Some("true")))
}

/// The class of claims that name none, in a set and the live cluster around it.
pub fn of(bundle: &Bundle, live: Option<&Bundle>) -> Option<String> {
    let mut newest = Newest::default();
    for (bundle, is_live) in live.map(|live| (live, true)).into_iter().chain([(bundle, false)]) {
        let classes = bundle.iter().filter(|(_, object)| object.kind == "StorageClass");
        for (id, object) in classes.filter(|(_, object)| object.group() == "storage.k8s.io") {
            let class = bundle.full(id);
            if is_default(class) {
                newest.read(&object.name, class, is_live);
            }
        }
    }
    newest.name().map(str::to_owned)
}

pub(super) fn admit(tree: &mut Tree, claim: NodeId, default: &str) {
    let view = tree.view(claim);
    let chosen = view.at(&["metadata", "annotations"]).is_some_and(|annotations| annotations.entry(BETA).is_some());
    let named = view.at(&["spec", "storageClassName"]).is_some();
    if !chosen && !named {
        let spec = child(tree, claim, "spec");
        set_str(tree, spec, "storageClassName", default);
    }
}
