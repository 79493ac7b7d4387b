//! DefaultTolerationSeconds: a pod stays five minutes on a node that is lost.
//!
//! `plugin/pkg/admission/defaulttolerationseconds/admission.go` (Kubernetes 1.36).

use crate::yaml::{NodeId, Tree, Value, View};

use super::set_str;

/// How long a pod stays, in seconds (`--default-not-ready-toleration-seconds`).
const SECONDS: i64 = 300;

pub(super) fn admit(tree: &mut Tree, spec: NodeId) {
    for taint in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerates = |toleration: View<'_>| {
            let text = |key: &str| toleration.get_str(key).unwrap_or_default();
            ["", taint].contains(&text("key")) && ["", "NoExecute"].contains(&text("effect"))
        };
        if tree.view(spec).list("tolerations").any(tolerates) {
            continue;
        }
        let span = tree.node(spec).span;
        let toleration = tree.push_map(span, &[]);
        for (key, text) in [("key", taint), ("operator", "Exists"), ("effect", "NoExecute")] {
            set_str(tree, toleration, key, text);
        }
        let seconds = tree.push(span, Value::Int(SECONDS));
        tree.insert(toleration, "tolerationSeconds", seconds);
        let known = tree.view(spec).get("tolerations").filter(|list| list.is_seq()).map(|list| list.id);
        let list = known.unwrap_or_else(|| tree.push_seq(span, &[]));
        tree.append(list, toleration);
        tree.insert(spec, "tolerations", list);
    }
}
