//! What differs between two bundles.

mod answer;
mod change;
mod conflict;
mod definition;
mod fields;
mod identity;
mod live;
mod mask;
mod moved;
mod place;
mod policy;
mod stored;
mod update;

use std::sync::Arc;

use crate::config::Settings;
use crate::diag::{Cause, Diagnostic, Server};
use crate::model::{Bundle, Object, ObjectId, path};
use crate::schema::Schema;
use crate::validate;
use crate::yaml::View;

pub use answer::{Anew, Answer, Conflict, Knowledge, OtherSet, Refusal};
pub use change::{Action, Change, Fidelity, FieldChange, ObjectRef, Op, Risk};
pub use conflict::{OTHER_SET, PART_OF, beside, stored_otherwise};
use identity::Pair;
use mask::Masker;
use place::Place;
pub use policy::{ConflictRule, OnConflict, Policy};
use stored::{Side, Stored};
pub use update::is_immutability;

/// Characters of the server's message in the reason of a change; the finding has all of it.
const WHY: usize = 120;

/// Characters of a value that stands in the server's words, where the words are about a large one.
const VALUE: usize = 120;

/// Compares what is wanted with what is there: one change for every object of both bundles, unchanged ones too, in
/// the order of group, kind, namespace and name, and a finding for every update that the API server would refuse.
///
/// Both sides count as the API server would store them, so defaults never differ; where a server was asked, its answer
/// is what counts. An object that only the base has is to be deleted, or kept where the base is a cluster; one that a
/// controller made there is not looked at. Risk, order and reasons are left to [`crate::plan::run`].
pub fn run(
    desired: &Bundle,
    base: &Bundle,
    knowledge: &Knowledge,
    settings: &Settings,
) -> (Vec<Change>, Vec<Diagnostic>) {
    let schema = Schema::of(settings.kube_version);
    let masker = Masker::new([base, desired], settings.show_secrets);
    let mut compare = Compare { desired, base, knowledge, schema, masker };
    let mut changes = Vec::new();
    let mut diagnostics = Vec::new();
    for pair in identity::pairs(desired, base) {
        if compare.is_made(pair) {
            continue;
        }
        changes.extend(compare.change(pair, &mut diagnostics));
    }
    moved::run(&mut changes, &compare);
    (changes, diagnostics)
}

/// Whether the object would still change as it was said: `live` and `stored` are what the cluster holds now and would
/// hold after. Values that were masked are not compared.
pub fn is_same_change(
    change: &Change,
    (desired, base): (&Bundle, &Bundle),
    (live, stored): (View<'_>, View<'_>),
    settings: &Settings,
) -> bool {
    let Some(id) = change.desired else { return false };
    let knowledge = Knowledge::default();
    let schema = Schema::of(settings.kube_version);
    let masker = Masker::new([base, desired], settings.show_secrets);
    let mut compare = Compare { desired, base, knowledge: &knowledge, schema, masker };
    let object = desired.object(id);
    let place = Place::of(schema, &object.api_version, &object.kind);
    let now = compare.fields(object, Some(live), Some(stored), place);
    // Fields that are left to others were taken out of the change.
    let now = now
        .iter()
        .filter(|field| field.path != "spec.replicas" || change.fields.iter().any(|old| old.path == field.path));
    let seen = |field: &FieldChange| {
        let values = (!field.sensitive).then(|| (field.before.clone(), field.after.clone()));
        (field.path.clone(), field.op, values)
    };
    now.map(seen).eq(change.fields.iter().map(seen))
}

struct Compare<'a> {
    desired: &'a Bundle,
    base: &'a Bundle,
    knowledge: &'a Knowledge,
    schema: Option<&'static Schema>,
    masker: Masker,
}

impl<'a> Compare<'a> {
    fn change(&mut self, pair: Pair, diagnostics: &mut Vec<Diagnostic>) -> Option<Change> {
        let (before, after) = self.views(pair);
        let new = pair.desired.map(|id| self.desired.object(id));
        let old = pair.base.map(|id| self.base.object(id));
        let object = new.or(old)?;
        let place = Place::of(self.schema, &object.api_version, &object.kind);
        let plain = self.without_made(pair, before, place);
        let before = plain.as_ref().map(Stored::view).or(before);
        let renamed = new.zip(old).is_some_and(|(new, old)| new.name != old.name);
        let knowledge = self.knowledge;
        let answer = pair.desired.and_then(|id| knowledge.answers.get(&id));
        let applied = self.applied(pair, before, after, place).filter(|_| !renamed);
        let applied = applied.or_else(|| self.made(pair, after?, answer));
        // Of an object that is made, the server's answer holds addresses that the next one will not; custom ones have none.
        let is_custom = self.schema.is_none_or(|schema| schema.stands_for(&object.api_version, &object.kind).is_none());
        let stored = answer.and_then(Answer::stored).filter(|_| (old.is_some() || is_custom) && !renamed);
        let before = if stored.is_some() { pair.base.map(|id| self.base.written(id)) } else { before };
        let after = stored.or(applied.as_ref().map(Stored::view)).or(after);
        let mut fields = self.fields(object, before, after, place);
        if let (Some(id), Some(_)) = (pair.desired, stored) {
            let written = self.desired.written(id);
            fields.retain(|field| !answer::is_made_up(&object.kind, field) || path::follow(written, &field.path).whole);
        }
        let action = self.action(pair, renamed, &fields);
        let mut change = Change {
            why: old.filter(|_| renamed).map(|old| change::takes_place(&old.name)).unwrap_or_default(),
            fidelity: answer.map_or(Fidelity::Approx, |answer| answer.fidelity),
            fields,
            inherits: answer.map(|answer| answer.inherits.clone()).unwrap_or_default(),
            clears: answer.map(|answer| answer.clears.clone()).unwrap_or_default(),
            is_going: answer.is_some_and(|answer| answer.going.is_some()),
            desired: pair.desired,
            base: pair.base,
            ..Change::new(action, reference(object))
        };
        let Some(id) = pair.desired else { return Some(change) };
        match answer {
            Some(answer) => diagnostics.extend(self.heed(&mut change, id, answer, after)),
            None => {
                if let (Some(before), Some(after)) = (before, after) {
                    self.admit_ignorance(&mut change, before, after);
                }
                if let (Action::Update, Some(before), Some(after), false) =
                    (change.action, before, after, self.is_between_states())
                {
                    diagnostics.extend(self.refuse(&mut change, id, (before, after), place));
                }
            }
        }
        if let (Action::Replace, Some(answer)) = (change.action, answer) {
            let old = plain.as_ref().map(Stored::view).or(self.views(pair).0);
            change.fields = self.fields_anew(id, old, answer, place);
        }
        Some(change)
    }

    fn action(&self, pair: Pair, renamed: bool, fields: &[FieldChange]) -> Action {
        match (pair.base, pair.desired) {
            (None, _) => Action::Create,
            (_, None) if self.base.live.is_some() && !self.is_between_states() => Action::Keep,
            (_, None) => Action::Delete,
            _ if renamed => Action::Create,
            _ if fields.is_empty() => Action::Unchanged,
            _ => Action::Update,
        }
    }

    /// What differs between an object and the new one in its place, which keeps nothing of it.
    fn fields_anew(
        &mut self,
        id: ObjectId,
        old: Option<View<'_>>,
        answer: &Answer,
        place: Place<'_>,
    ) -> Vec<FieldChange> {
        let object = self.desired.object(id);
        let full = self.desired.full(id);
        let stored = answer.made_anew().map(|stored| live::without_made(stored, full, &object.kind, place));
        self.fields(object, old, Some(stored.as_ref().map_or(full, Stored::view)), place)
    }

    /// Whether both sides are what clusters hold: then nothing is applied.
    fn is_between_states(&self) -> bool {
        self.desired.live.is_some()
    }

    /// Whether the pair is an object that only the live cluster has and that a controller made.
    fn is_made(&self, pair: Pair) -> bool {
        if self.is_between_states() {
            return pair.desired.is_some_and(|id| self.desired.is_controlled(id))
                || pair.base.is_some_and(|id| self.base.is_controlled(id));
        }
        let only_live = pair.base.filter(|_| pair.desired.is_none() && self.base.live.is_some());
        only_live.is_some_and(|id| self.base.is_controlled(id))
    }

    /// Values of a Secret that a snapshot does not hold may differ or not: the change says so.
    fn admit_ignorance(&self, change: &mut Change, before: View<'_>, after: View<'_>) {
        let is_secret = !change.object.api_version.contains('/') && mask::is_secret("", &change.object.kind);
        let unknown = if is_secret { mask::unknown_values(before, after) } else { Vec::new() };
        if unknown.is_empty() {
            return;
        }
        change.why = format!("whether {} changes is not known: the snapshot has no secret values", unknown.join(", "));
        if change.action == Action::Unchanged && !self.is_between_states() {
            change.action = Action::Update;
        }
    }

    /// Takes over what the server said beside the object that it would store: refusals, conflicts, warnings.
    fn heed(&self, change: &mut Change, id: ObjectId, answer: &Answer, after: Option<View<'_>>) -> Vec<Diagnostic> {
        let mut found: Vec<Diagnostic> = answer.warnings.iter().map(|text| self.warning(id, text)).collect();
        if !answer.note.is_empty() {
            change.why.clone_from(&answer.note);
        }
        if let Some(after) = after {
            conflict::mark(change, answer, after, &self.knowledge.policy);
        }
        let Some(refusal) = &answer.refusal else { return found };
        if change.action == Action::Update && matches!(answer.anew, Some(Anew::Taken(_))) {
            change.action = Action::Replace;
            change.needs_leave = !self.knowledge.policy.may_replace(&change.object.kind);
        }
        if refusal.causes.is_empty() || refusal.code != 422 {
            let first = refusal.message.lines().next().unwrap_or_default();
            let short: String = first.chars().take(WHY).collect();
            let more = if short.len() < first.len() { "…" } else { "" };
            change.why = format!("the API server refuses it: {short}{more}");
            found.push(self.refused(id, refusal));
        } else {
            change.why = why(change.action, &refusal.causes, &change.fields);
            if let Some(Anew::Refused(message)) = &answer.anew {
                change.why.push_str(&format!("; a new one would be refused too: {message}"));
            }
            let is_new = change.action == Action::Create;
            found.extend(self.refusals(id, refusal.causes.clone(), &refusal.message, is_new));
        }
        found
    }

    /// A refusal that names no field.
    fn refused(&self, id: ObjectId, refusal: &Refusal) -> Diagnostic {
        let rule = match refusal.code {
            400 => "api-decode",
            403 => "api-forbidden",
            404 => "api-not-found",
            _ => "api-invalid",
        };
        let first = refusal.message.lines().next().unwrap_or_default();
        let mut diagnostic = self.at(id, rule, "metadata.name", format!("the API server refuses it: {first}"));
        diagnostic.help = Some("mend what the server names; nothing is applied before that".to_owned());
        let message = refusal.message.as_str().into();
        let (code, reason) = (refusal.code, refusal.reason);
        diagnostic.server = Some(Server { code, reason, message, causes: Vec::new() });
        diagnostic
    }

    fn warning(&self, id: ObjectId, text: &str) -> Diagnostic {
        let field = text.split_once(": ").map_or("", |(field, _)| field);
        let known = !field.is_empty() && path::follow(self.desired.written(id), field).whole;
        let field = if known { field } else { "metadata.name" };
        self.at(id, "api-warning", field, format!("the API server warns: {text}"))
    }

    fn at(&self, id: ObjectId, rule: &'static str, field: &str, message: String) -> Diagnostic {
        let object = self.desired.object(id);
        let span = path::place(self.desired.written(id), field);
        let mut diagnostic = Diagnostic::new(rule, object.file, span, message);
        diagnostic.document = Some(object.document);
        diagnostic.object = Some(id);
        diagnostic
    }

    /// Asks whether the API server takes the update; one that only meets fields that cannot change is a replacement.
    fn refuse(
        &self,
        change: &mut Change,
        id: ObjectId,
        (before, after): (View<'_>, View<'_>),
        place: Place<'_>,
    ) -> Vec<Diagnostic> {
        let object = self.desired.object(id);
        let group = identity::group(object);
        let live = Stored::live(before, after, &object.kind);
        let mut all = update::causes(group, &object.kind, live.view(), after, place);
        let old = change.base.map(|base| self.base.written(base));
        all.extend(old.into_iter().flat_map(|old| update::stored_versions(&object.kind, old, after)));
        // What is wrong with the new object by itself is found without a base.
        let own = validate::object(group, &object.kind, after);
        let causes: Vec<Cause> = all.iter().filter(|cause| !own.contains(cause)).cloned().collect();
        if causes.is_empty() {
            let texts = if all.is_empty() { update::warnings(group, &object.kind, live.view(), after) } else { vec![] };
            return texts.iter().map(|text| self.warning(id, text)).collect();
        }
        if causes.iter().all(update::is_immutability) {
            change.action = Action::Replace;
        }
        change.why = why(change.action, &causes, &change.fields);
        let message = validate::status_message(&object.kind, group, &object.name, &all);
        self.refusals(id, causes, &message, false)
    }

    /// The object of a cluster without what was made for it.
    fn without_made(&self, pair: Pair, before: Option<View<'_>>, place: Place<'_>) -> Option<Stored> {
        self.base.live.as_ref()?;
        let desired = pair.desired.filter(|_| !self.is_between_states())?;
        Some(live::without_made(before?, self.desired.full(desired), &self.desired.object(desired).kind, place))
    }

    /// What server-side apply would store, where both sides have defaults.
    fn applied(
        &self,
        pair: Pair,
        before: Option<View<'_>>,
        after: Option<View<'_>>,
        place: Place<'_>,
    ) -> Option<Stored> {
        let (base, desired) = (pair.base?, pair.desired.filter(|_| !self.is_between_states())?);
        (self.base.object(base).full.is_known() && self.desired.object(desired).full.is_known()).then_some(())?;
        let old = Side { full: before?, written: Some(self.base.written(base)) };
        let new = Side { full: after?, written: Some(self.desired.written(desired)) };
        Some(Stored::applied(old, new, place, self.base.live.is_some()))
    }

    /// A new object with what admission or its definition make of it.
    fn made(&self, pair: Pair, written: View<'_>, answer: Option<&Answer>) -> Option<Stored> {
        let id = pair.desired.filter(|_| pair.base.is_none() && !self.is_between_states())?;
        let schema = definition::schema(self.desired, self.desired.object(id));
        schema.map(|schema| Stored::defined(written, schema)).or_else(|| Stored::admitted(written, answer?))
    }

    /// Both sides as the cluster would see them; as written where one of them has no defaults.
    fn views(&self, pair: Pair) -> (Option<View<'a>>, Option<View<'a>>) {
        let defaulted = |bundle: &Bundle, id: Option<ObjectId>| id.is_none_or(|id| bundle.object(id).full.is_known());
        let full = defaulted(self.base, pair.base) && defaulted(self.desired, pair.desired);
        let view = |bundle: &'a Bundle, id: ObjectId| if full { bundle.full(id) } else { bundle.written(id) };
        (pair.base.map(|id| view(self.base, id)), pair.desired.map(|id| view(self.desired, id)))
    }

    fn fields(
        &mut self,
        object: &Object,
        before: Option<View<'_>>,
        after: Option<View<'_>>,
        place: Place<'_>,
    ) -> Vec<FieldChange> {
        let secret = mask::is_secret(object.group(), &object.kind);
        let skip: &[&str] = if secret { &["data", "stringData"] } else { &[] };
        let mut fields = Vec::new();
        if let (Some(a), Some(b)) = (before, after) {
            fields.extend(api_version(a, b));
        }
        let mut rest = fields::compare(before, after, place, skip);
        self.masker.scrub(&mut rest, before, after);
        fields.extend(rest);
        if secret {
            // `data` comes before the other fields but `apiVersion`, as in the order of keys.
            let at = usize::from(fields.first().is_some_and(|field| field.path == "apiVersion"));
            fields.splice(at..at, self.masker.secret(before, after));
        }
        fields
    }

    /// The API server's refusal as findings, one for each cause.
    fn refusals(&self, id: ObjectId, causes: Vec<Cause>, message: &str, is_new: bool) -> Vec<Diagnostic> {
        let object = self.desired.object(id);
        let message: Arc<str> = message.into();
        let replace = causes.iter().all(update::is_immutability);
        let (what, keep) = match is_new {
            true => ("object", "mend what the server names; nothing is applied before that"),
            false => ("update", "keep the old value"),
        };
        let help = if replace && !is_new {
            "keep the old value, or delete the object and create it again, which is what a replacement does"
        } else {
            keep
        };
        let mut found = Vec::new();
        for cause in causes {
            let rule = validate::rule_for(&object.kind, &cause);
            let text = format!("the {what} is refused: {}: {}", cause.field, first_line(&cause));
            let mut diagnostic = self.at(id, rule, &cause.field, text).help(help);
            diagnostic.field = Some(cause.field.clone());
            let message = message.clone();
            diagnostic.server = Some(Server { code: 422, reason: "Invalid", message, causes: vec![cause] });
            found.push(diagnostic);
        }
        found
    }
}

fn reference(object: &Object) -> ObjectRef {
    ObjectRef {
        api_version: object.api_version.clone(),
        kind: object.kind.clone(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
    }
}

/// The same object written for another version of the API.
fn api_version(before: View<'_>, after: View<'_>) -> Option<FieldChange> {
    let (old, new) = (before.get_str("apiVersion")?, after.get_str("apiVersion")?);
    (old != new).then(|| FieldChange {
        path: "apiVersion".to_owned(),
        op: Op::Change,
        before: Some(old.into()),
        after: Some(new.into()),
        sensitive: false,
        owner: None,
    })
}

/// Which fields stand against an update.
fn why(action: Action, causes: &[Cause], fields: &[FieldChange]) -> String {
    if causes.is_empty() {
        return String::new();
    }
    if action != Action::Replace {
        let texts: Vec<String> = causes.iter().map(|cause| format!("{}: {}", cause.field, first_line(cause))).collect();
        return format!("the API server refuses it: {}", texts.join("; "));
    }
    let mut names: Vec<&str> = Vec::new();
    for cause in causes {
        // Some refusals only name the whole spec.
        let broad = matches!(cause.field.as_str(), "spec" | "spec.persistentvolumesource");
        let inside = fields.iter().map(|field| top(&field.path)).filter(|path| update::is_frozen_in_spec(path));
        let found: Vec<&str> = if broad { inside.collect() } else { vec![cause.field.as_str()] };
        names.extend(found);
    }
    names.sort_unstable();
    names.dedup();
    format!("{} cannot be changed", names.join(", "))
}

/// `spec.template.spec.containers[0]` → `spec.template`.
fn top(path: &str) -> &str {
    let second = path.find('.').map_or(path.len(), |dot| dot + 1);
    let end = path.get(second..).and_then(|rest| rest.find(['.', '['])).map_or(path.len(), |at| second + at);
    path.get(..end).unwrap_or(path)
}

/// Some messages go on with a long diff of Go structs, or have a whole one in them.
fn first_line(cause: &Cause) -> String {
    let line = cause.message.lines().next().unwrap_or_default();
    let head: String = line.chars().take(VALUE).collect();
    match line.rsplit_once(": ") {
        Some((value, words)) if value.len() > 2 * VALUE && words.len() <= VALUE => format!("{head}…: {words}"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests;
