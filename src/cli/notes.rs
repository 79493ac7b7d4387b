//! What a plan notes beside its changes and findings, one line each.

use std::collections::BTreeMap;

use super::cluster::Cluster;
use super::error::CliError;
use crate::cluster::{Missing, Mutators, Right, Subject};
use crate::diff::{self, Answer, Knowledge};
use crate::model::{Bundle, ObjectId, pod};
use crate::snapshot::Unread;
use crate::yaml::View;

/// Objects that are told in full, of each sort of note.
const FULL: usize = 10;

/// What could not be read: `cannot read any Pod: WHY`, and one line for all kinds that the user may not see.
pub(super) fn unread(unread: &[Unread]) -> Vec<String> {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for one in unread {
        let why = forbidden(&one.why).unwrap_or_else(|| one.why.clone());
        match lines.iter_mut().find(|(other, _)| *other == why) {
            Some((_, kinds)) => kinds.push(&one.kind),
            None => lines.push((why, vec![&one.kind])),
        }
    }
    lines.into_iter().map(|(why, kinds)| format!("cannot read any {}: {why}", kinds.join(", "))).collect()
}

/// `User "ann" cannot list them at the cluster scope`, of the message of an authorizer (`errors.NewForbidden`) about a
/// kind.
fn forbidden(message: &str) -> Option<String> {
    let (_, words) = message.split_once(" is forbidden: ")?;
    let (who, rest) = words.split_once(" resource \"")?;
    let place = rest.find(" at the cluster scope").or_else(|| rest.find(" in the namespace "))?;
    Some(format!("{who} them{}", rest.get(place..)?))
}

/// Objects with fields that people set by hand beside the manifests, one line each.
pub(super) fn drift(bundle: &Bundle, knowledge: &Knowledge) -> Vec<String> {
    let found = objects(bundle, knowledge, diff::beside).into_iter();
    let line = |(id, fields)| format!("drift beside {}: {fields}; not in the manifest, it stays", title(bundle, id));
    shorten(found.map(line).collect(), "drift beside")
}

/// The objects of which something is told, with that.
fn objects(
    bundle: &Bundle,
    knowledge: &Knowledge,
    tell: fn(&Answer, View<'_>) -> Vec<String>,
) -> Vec<(ObjectId, String)> {
    let told = bundle.ids().filter_map(|id| {
        let answer = knowledge.answers.get(&id)?;
        let (tree, root) = answer.stored.as_ref()?;
        let fields = tell(answer, tree.view(*root));
        (!fields.is_empty()).then(|| (id, fields.join(", ")))
    });
    told.collect()
}

fn title(bundle: &Bundle, id: ObjectId) -> String {
    bundle.object(id).title()
}

/// The first lines, and how many objects more there are.
fn shorten(mut lines: Vec<String>, what: &str) -> Vec<String> {
    let more = lines.len().saturating_sub(FULL);
    lines.truncate(FULL);
    lines.extend((more > 0).then(|| format!("{what} {more} more objects")));
    lines
}

impl Cluster {
    /// Objects that the server would store otherwise than they are written, one line each, and what may do that;
    /// `base` is what the cluster holds.
    pub(super) fn stored_otherwise(
        &self,
        (bundle, base): (&Bundle, &Bundle),
        knowledge: &Knowledge,
    ) -> Result<Vec<String>, CliError> {
        let found = objects(bundle, knowledge, diff::stored_otherwise);
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let mutators = Mutators::read(&self.client(), &self.resources)?;
        let line = |(id, fields): (ObjectId, String)| {
            let who = self.who(&mutators, (bundle, base), id);
            format!("stored otherwise than written: {fields} of {}{who}", title(bundle, id))
        };
        Ok(shorten(found.into_iter().map(line).collect(), "stored otherwise than written:"))
    }

    /// `; webhook a.example.com may do that`, where anything may.
    fn who(&self, mutators: &Mutators, (bundle, base): (&Bundle, &Bundle), id: ObjectId) -> String {
        let object = bundle.object(id);
        let Some(resource) = self.resources.get(&object.api_version, &object.kind) else { return String::new() };
        fn of(view: View<'_>) -> pod::Labels<'_> {
            pod::labels(view.at(&["metadata", "labels"]))
        }
        let namespace = object.namespace.as_deref().map(|name| {
            let is_it = |kind: &str, other: &str| kind == "Namespace" && other == name;
            let find =
                |bundle: &'_ Bundle| bundle.iter().find(|(_, other)| is_it(&other.kind, &other.name)).map(|(id, _)| id);
            // The server gives every namespace this one.
            let mut labels = pod::Labels::from([("kubernetes.io/metadata.name", name)]);
            for bundle in [base, bundle] {
                labels.extend(find(bundle).into_iter().flat_map(|id| of(bundle.written(id))));
            }
            labels
        });
        let labels = of(bundle.written(id));
        let names = mutators.names(Subject { resource, labels: &labels, namespace: namespace.as_ref() });
        match names.is_empty() {
            true if mutators.is_hidden => "; what does that may not be read".to_owned(),
            true => String::new(),
            false => format!("; {} may do that", names.join(", ")),
        }
    }
}

/// `no right to create or patch deployments.apps in namespace shop, which apply needs for Deployment shop/web and 2 more`;
/// a line for each kind and namespace.
pub(super) fn lacks(missing: &Missing) -> Vec<String> {
    let mut rows: BTreeMap<_, Vec<&Right>> = BTreeMap::new();
    for (right, titles) in missing {
        rows.entry((&right.group, &right.resource, &right.namespace, titles)).or_default().push(right);
    }
    let line = |((.., titles), rights): ((_, _, _, &Vec<String>), Vec<&Right>)| {
        let more = if titles.len() > 1 { format!(" and {} more", titles.len() - 1) } else { String::new() };
        let first = titles.first().map(String::as_str).unwrap_or_default();
        let verbs: Vec<&str> = rights.iter().map(|right| right.verb).collect();
        let (last, others) = verbs.split_last().map(|(last, others)| (*last, others)).unwrap_or_default();
        let verbs = if others.is_empty() { last.to_owned() } else { format!("{} or {last}", others.join(", ")) };
        let right = rights.first().map(|right| right.with(&verbs)).unwrap_or_default();
        format!("no right to {right}, which apply needs for {first}{more}")
    };
    rows.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages are those of a 1.36.3 API server.
    #[test]
    fn kinds_that_a_user_may_not_see_are_one_line() {
        let one = |kind: &str, why: &str| Unread { kind: kind.to_owned(), why: why.to_owned() };
        let all = "is forbidden: User \"nobody\" cannot list resource";
        let found = unread(&[
            one("Job", &format!("jobs.batch {all} \"jobs\" in API group \"batch\" at the cluster scope")),
            one("Widget", "the server could not find the requested resource"),
            one("Pod", &format!("pods {all} \"pods\" in API group \"\" at the cluster scope")),
            one("Secret", &format!("secrets {all} \"secrets\" in API group \"\" in the namespace \"shop\"")),
        ]);
        let wanted = [
            "cannot read any Job, Pod: User \"nobody\" cannot list them at the cluster scope",
            "cannot read any Widget: the server could not find the requested resource",
            "cannot read any Secret: User \"nobody\" cannot list them in the namespace \"shop\"",
        ];
        assert_eq!(found, wanted);
    }
}
