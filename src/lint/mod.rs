//! The rules: each looks at an object, or at the whole set through the index.
//!
//! A rule is one file in `rules/`, one function here under the same name, and one folder in `fixtures/rules/`.

mod autoscaling;
pub mod catalog;
mod images;
mod index;
mod live;
mod networking;
mod probes;
mod references;
mod schema;
mod storage;
mod workload;

use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::prelude::*;

use crate::config::Settings;
use crate::diag::Diagnostic;
use crate::model::pod::PodTemplate;
use crate::model::{Bundle, Object, ObjectId, path};
use crate::source::Span;
use crate::yaml::View;
use index::Index;

/// The function of a rule.
type Check = fn(&mut Cx<'_>);

/// Every rule that runs here, by the id of its catalogue file; other stages report the remaining ids.
const CHECKS: &[(&str, Check)] = &[
    ("configmap-key-missing", references::configmap_key_missing),
    ("configmap-missing", references::configmap_missing),
    ("env-value-null", schema::env_value_null),
    ("hpa-fixed-replicas", autoscaling::hpa_fixed_replicas),
    ("hpa-metric-without-request", autoscaling::hpa_metric_without_request),
    ("hpa-target-missing", autoscaling::hpa_target_missing),
    ("image-pull-policy", images::image_pull_policy),
    ("image-tag-mutable", images::image_tag_mutable),
    ("ingress-backend-missing", networking::ingress_backend_missing),
    ("liveness-kills-startup", probes::liveness_kills_startup),
    ("memory-milli-unit", schema::memory_milli_unit),
    ("nodeport-collision", networking::nodeport_collision),
    ("object-duplicate", references::object_duplicate),
    ("probe-port-undeclared", probes::probe_port_undeclared),
    ("probes-identical", probes::probes_identical),
    ("pull-secret-missing", references::pull_secret_missing),
    ("pvc-missing", references::pvc_missing),
    ("pvc-no-pv", storage::pvc_no_pv),
    ("secret-key-missing", references::secret_key_missing),
    ("secret-missing", references::secret_missing),
    ("service-account-missing", references::service_account_missing),
    ("service-no-match", networking::service_no_match),
    ("service-targetport-missing", networking::service_targetport_missing),
    ("workload-selector-overlap", workload::workload_selector_overlap),
];

/// Runs every rule over every object; a panic in one rule is one diagnostic, not the end. What `live` holds, the state of
/// the cluster around the set, is there for references too.
pub fn run(bundle: &Bundle, live: Option<&Bundle>, settings: &Settings) -> Vec<Diagnostic> {
    let index = Index::new(bundle, live, settings);
    let ids: Vec<ObjectId> = bundle.ids().collect();
    ids.par_iter().flat_map_iter(|id| check_object(bundle, &index, *id)).collect()
}

fn check_object(bundle: &Bundle, index: &Index<'_>, id: ObjectId) -> Vec<Diagnostic> {
    let object = bundle.object(id);
    let mut found = Vec::new();
    for (rule, check) in CHECKS {
        let mut cx = Cx { rule, bundle, index, id, object, root: bundle.admitted(id), found: Vec::new() };
        match catch_unwind(AssertUnwindSafe(|| check(&mut cx))) {
            Ok(()) => found.append(&mut cx.found),
            Err(_) => {
                let span = path::place(bundle.written(id), "metadata.name");
                let message = format!("internal error in the rule {rule}; its findings for this object are missing");
                found.push(Diagnostic::new("rule-panicked", object.file, span, message));
            }
        }
    }
    found
}

/// What a rule sees: one object with its defaults and what admission adds, and the set around it.
struct Cx<'a> {
    rule: &'static str,
    bundle: &'a Bundle,
    index: &'a Index<'a>,
    id: ObjectId,
    object: &'a Object,
    /// The object with its defaults and what admission adds.
    root: View<'a>,
    found: Vec<Diagnostic>,
}

impl<'a> Cx<'a> {
    /// Whether the object is of a kind, whatever its version.
    fn is(&self, group: &str, kind: &str) -> bool {
        self.object.group() == group && self.object.kind == kind
    }

    /// The pod template of a workload.
    fn template(&self) -> Option<PodTemplate<'a>> {
        PodTemplate::of(self.object.group(), &self.object.kind, self.root)
    }

    /// Reports at a value; at its key where it is a map or list.
    fn report(&mut self, at: View<'a>, message: impl Into<String>) -> &mut Diagnostic {
        let field = path::of(self.root, at).unwrap_or_default();
        self.report_field(field, message)
    }

    /// Reports at a key of a map; at the nearest parent where it is missing.
    fn report_key(&mut self, parent: View<'a>, key: &str, message: impl Into<String>) -> &mut Diagnostic {
        let field = path::of_key(self.root, parent, key).unwrap_or_default();
        self.report_field(field, message)
    }

    fn report_field(&mut self, field: String, message: impl Into<String>) -> &mut Diagnostic {
        let span = path::place(self.bundle.written(self.id), &field);
        let at = self.found.len();
        let mut diagnostic = Diagnostic::new(self.rule, self.object.file, span, message);
        diagnostic.object = Some(self.id);
        diagnostic.document = Some(self.object.document);
        diagnostic.field = Some(field);
        self.found.push(diagnostic);
        &mut self.found[at]
    }

    /// The place of a field of another object, for related places.
    fn place_in(&self, id: ObjectId, field: &str) -> (crate::source::FileId, Span) {
        (self.bundle.object(id).file, path::place(self.bundle.written(id), field))
    }
}
