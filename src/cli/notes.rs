//! What a plan notes beside its changes and findings, one line each.

use crate::cluster::Right;
use crate::diff::{self, Knowledge};
use crate::model::{Bundle, ObjectId};

/// Objects whose drift is told in full.
const HANDS: usize = 10;

/// Objects with fields that people set by hand beside the manifests, one line each; `HANDS` of them.
pub(super) fn drift(bundle: &Bundle, knowledge: &Knowledge) -> Vec<String> {
    let beside = |id| {
        let answer = knowledge.answers.get(&id)?;
        let (tree, root) = answer.stored.as_ref()?;
        let fields = diff::beside(answer, tree.view(*root));
        (!fields.is_empty()).then_some((id, fields))
    };
    let mut found: Vec<_> = bundle.ids().filter_map(beside).collect();
    let more = found.len().saturating_sub(HANDS);
    found.truncate(HANDS);
    let line = |(id, fields): (ObjectId, Vec<String>)| {
        format!("drift beside {}: {}; not in the manifest, it stays", bundle.object(id).title(), fields.join(", "))
    };
    let mut lines: Vec<String> = found.into_iter().map(line).collect();
    lines.extend((more > 0).then(|| format!("drift beside {more} more objects")));
    lines
}

/// `no right to patch deployments.apps in namespace shop: Deployment shop/web and 2 more`.
pub(super) fn lacks(right: &Right, titles: &[String]) -> String {
    let more = if titles.len() > 1 { format!(" and {} more", titles.len() - 1) } else { String::new() };
    let first = titles.first().map(String::as_str).unwrap_or_default();
    format!("no right to {}, which apply needs for {first}{more}", right.text())
}
