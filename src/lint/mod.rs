//! The rules: each looks at an object, or at the whole set through the index.
//!
//! A rule is one file in `rules/`, one function here under the same name, and one folder in `fixtures/rules/`.

mod autoscaling;
pub mod catalog;
mod crds;
mod dispatch;
mod env;
mod gateway;
mod host;
mod house;
mod images;
mod index;
mod ingress;
mod jobs;
mod live;
mod networking;
mod order;
mod params;
mod paths;
mod pod;
mod policies;
mod probes;
mod rbac;
mod references;
mod resources;
mod rollout;
mod schema;
mod secrets;
mod security;
mod services;
mod storage;
mod volumes;
mod workload;

use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::prelude::*;

use crate::config::Settings;
use crate::diag::Diagnostic;
use crate::model::pod::PodTemplate;
use crate::model::{Bundle, Object, ObjectId, path};
use crate::source::Span;
use crate::yaml::View;
use dispatch::{Dispatch, Entry};
use index::Index;
use params::{Params, RuleParams};

/// The function of a rule.
type Check = fn(&mut Cx<'_>);

/// Every rule that runs here, by the id of its catalogue file; other stages report the remaining ids.
const CHECKS: &[(&str, Check)] = &[
    ("apparmor-unconfined", security::apparmor_unconfined),
    ("apply-order", order::apply_order),
    ("automount-token", rbac::automount_token),
    ("bind-anonymous", rbac::bind_anonymous),
    ("bind-default-sa", rbac::bind_default_sa),
    ("bind-system-group", rbac::bind_system_group),
    ("capability-added", security::capability_added),
    ("capability-dangerous", security::capability_dangerous),
    ("capability-not-dropped", security::capability_not_dropped),
    ("cert-issuer-missing", order::cert_issuer_missing),
    ("cluster-admin-binding", rbac::cluster_admin_binding),
    ("configmap-key-missing", references::configmap_key_missing),
    ("configmap-missing", references::configmap_missing),
    ("configmap-sensitive", secrets::configmap_sensitive),
    ("cpu-limit-missing", resources::cpu_limit_missing),
    ("cpu-request-missing", resources::cpu_request_missing),
    ("cpu-unit-missing", resources::cpu_unit_missing),
    ("crd-invalid", crds::crd_invalid),
    ("cronjob-concurrency-allow", jobs::cronjob_concurrency_allow),
    ("cronjob-never-fires", jobs::cronjob_never_fires),
    ("cronjob-no-deadline", jobs::cronjob_no_deadline),
    ("cronjob-suspended", jobs::cronjob_suspended),
    ("default-namespace", workload::default_namespace),
    ("default-sa-used", rbac::default_sa_used),
    ("derived-name-too-long", workload::derived_name_too_long),
    ("emptydir-memory-over-limit", resources::emptydir_memory_over_limit),
    ("env-duplicate", env::env_duplicate),
    ("env-from-secret", env::env_from_secret),
    ("env-policy", house::env_policy),
    ("env-ref-unresolved", env::env_ref_unresolved),
    ("env-secret-literal", env::env_secret_literal),
    ("env-value-null", schema::env_value_null),
    ("envfrom-collision", env::envfrom_collision),
    ("file-mode-decimal", volumes::file_mode_decimal),
    ("forbidden-annotations", house::forbidden_annotations),
    ("fsgroup-missing", volumes::fsgroup_missing),
    ("gateway-duplicate-listener", gateway::gateway_duplicate_listener),
    ("gateway-ref-missing", gateway::gateway_ref_missing),
    ("grace-period-zero", rollout::grace_period_zero),
    ("host-ipc", host::host_ipc),
    ("host-network", host::host_network),
    ("host-path", host::host_path),
    ("host-path-sensitive", host::host_path_sensitive),
    ("host-path-writable", host::host_path_writable),
    ("host-pid", host::host_pid),
    ("host-port", host::host_port),
    ("host-port-conflict", workload::host_port_conflict),
    ("host-process", host::host_process),
    ("hostnetwork-dns-policy", workload::hostnetwork_dns_policy),
    ("hpa-duplicate-target", autoscaling::hpa_duplicate_target),
    ("hpa-fixed-replicas", autoscaling::hpa_fixed_replicas),
    ("hpa-metric-without-request", autoscaling::hpa_metric_without_request),
    ("hpa-min-equals-max", autoscaling::hpa_min_equals_max),
    ("hpa-min-low", autoscaling::hpa_min_low),
    ("hpa-target-missing", autoscaling::hpa_target_missing),
    ("hpa-target-not-scalable", autoscaling::hpa_target_not_scalable),
    ("hpa-vpa-keda-conflict", autoscaling::hpa_vpa_keda_conflict),
    ("image-not-digest", images::image_not_digest),
    ("image-pull-policy", images::image_pull_policy),
    ("image-ref-invalid", images::image_ref_invalid),
    ("image-registry-not-allowed", house::image_registry_not_allowed),
    ("image-registry-retired", images::image_registry_retired),
    ("image-tag-mutable", images::image_tag_mutable),
    ("ingress-backend-missing", networking::ingress_backend_missing),
    ("ingress-class-ambiguous", ingress::ingress_class_ambiguous),
    ("ingress-class-missing", volumes::ingress_class_missing),
    ("ingress-class-restricted", house::ingress_class_restricted),
    ("ingress-duplicate-route", ingress::ingress_duplicate_route),
    ("ingress-nginx-retired", ingress::ingress_nginx_retired),
    ("ingress-nginx-snippet", ingress::ingress_nginx_snippet),
    ("ingress-no-tls", ingress::ingress_no_tls),
    ("ingress-tls-host-mismatch", ingress::ingress_tls_host_mismatch),
    ("ingress-tls-secret-missing", ingress::ingress_tls_secret_missing),
    ("ingress-wildcard-host", ingress::ingress_wildcard_host),
    ("init-request-dominates", resources::init_request_dominates),
    ("job-ttl", jobs::job_ttl),
    ("kind-forbidden", house::kind_forbidden),
    ("limit-request-ratio", house::limit_request_ratio),
    ("limitrange-violation", resources::limitrange_violation),
    ("liveness-kills-startup", probes::liveness_kills_startup),
    ("liveness-probe-missing", probes::liveness_probe_missing),
    ("memory-limit-missing", resources::memory_limit_missing),
    ("memory-milli-unit", schema::memory_milli_unit),
    ("memory-request-missing", resources::memory_request_missing),
    ("mount-shadow", volumes::mount_shadow),
    ("naked-pod", workload::naked_pod),
    ("name-pattern", house::name_pattern),
    ("namespace-missing", order::namespace_missing),
    ("networkpolicy-allow-all", policies::networkpolicy_allow_all),
    ("networkpolicy-blocks-path", paths::networkpolicy_blocks_path),
    ("networkpolicy-egress-no-dns", policies::networkpolicy_egress_no_dns),
    ("networkpolicy-no-match", policies::networkpolicy_no_match),
    ("networkpolicy-peer-or", policies::networkpolicy_peer_or),
    ("networkpolicy-port-unexposed", policies::networkpolicy_port_unexposed),
    ("networkpolicy-rules-ignored", policies::networkpolicy_rules_ignored),
    ("no-pod-spreading", workload::no_pod_spreading),
    ("nodeport-collision", networking::nodeport_collision),
    ("nonroot-needs-uid", security::nonroot_needs_uid),
    ("nonroot-uid-zero", security::nonroot_uid_zero),
    ("object-duplicate", references::object_duplicate),
    ("object-too-big", secrets::object_too_big),
    ("pdb-above-hpa-min", rollout::pdb_above_hpa_min),
    ("pdb-blocks-eviction", rollout::pdb_blocks_eviction),
    ("pdb-missing", rollout::pdb_missing),
    ("pdb-no-match", rollout::pdb_no_match),
    ("pdb-no-policy", rollout::pdb_no_policy),
    ("pdb-overlap", rollout::pdb_overlap),
    ("pod-port-conflict", services::pod_port_conflict),
    ("port-name-duplicate", services::port_name_duplicate),
    ("prestop-eats-grace", rollout::prestop_eats_grace),
    ("priority-class-missing", volumes::priority_class_missing),
    ("privilege-escalation", security::privilege_escalation),
    ("privileged-container", security::privileged_container),
    ("probe-host", security::probe_host),
    ("probe-port-undeclared", probes::probe_port_undeclared),
    ("probe-timeout-ge-period", probes::probe_timeout_ge_period),
    ("probes-identical", probes::probes_identical),
    ("proc-mount-unmasked", security::proc_mount_unmasked),
    ("progress-deadline-short", rollout::progress_deadline_short),
    ("psa-audit-violation", resources::psa_audit_violation),
    ("psa-namespace-conflict", resources::psa_namespace_conflict),
    ("pull-secret-missing", references::pull_secret_missing),
    ("pv-hostpath", volumes::pv_hostpath),
    ("pvc-missing", references::pvc_missing),
    ("pvc-no-pv", storage::pvc_no_pv),
    ("rbac-csr-approve", rbac::rbac_csr_approve),
    ("rbac-escalation", rbac::rbac_escalation),
    ("rbac-nodes-proxy", rbac::rbac_nodes_proxy),
    ("rbac-pod-create", rbac::rbac_pod_create),
    ("rbac-pod-exec", rbac::rbac_pod_exec),
    ("rbac-secrets-read", rbac::rbac_secrets_read),
    ("rbac-subject-missing", rbac::rbac_subject_missing),
    ("rbac-token-or-pv-create", rbac::rbac_token_or_pv_create),
    ("rbac-webhooks", rbac::rbac_webhooks),
    ("rbac-wildcard", rbac::rbac_wildcard),
    ("readiness-probe-missing", probes::readiness_probe_missing),
    ("reference-grant-missing", gateway::reference_grant_missing),
    ("replica-cap", house::replica_cap),
    ("replicas-single", workload::replicas_single),
    ("replicas-zero", workload::replicas_zero),
    ("required-annotations", house::required_annotations),
    ("required-labels", house::required_labels),
    ("resource-cap", house::resource_cap),
    ("role-ref-missing", rbac::role_ref_missing),
    ("rollout-zero-capacity", rollout::rollout_zero_capacity),
    ("root-group", security::root_group),
    ("route-backend-missing", gateway::route_backend_missing),
    ("run-as-root", security::run_as_root),
    ("runtime-class-missing", volumes::runtime_class_missing),
    ("runtime-socket", host::runtime_socket),
    ("rwo-volume-shared", volumes::rwo_volume_shared),
    ("sa-field-deprecated", rbac::sa_field_deprecated),
    ("sa-token-needed", rbac::sa_token_needed),
    ("sa-token-secret", rbac::sa_token_secret),
    ("seccomp-unconfined", security::seccomp_unconfined),
    ("seccomp-unset", security::seccomp_unset),
    ("secret-in-text", secrets::secret_in_text),
    ("secret-key-missing", references::secret_key_missing),
    ("secret-missing", references::secret_missing),
    ("secret-trailing-newline", secrets::secret_trailing_newline),
    ("secret-type-keys", secrets::secret_type_keys),
    ("selector-volatile-label", workload::selector_volatile_label),
    ("selinux-custom", security::selinux_custom),
    ("service-account-missing", references::service_account_missing),
    ("service-external-ips", services::service_external_ips),
    ("service-external-name", services::service_external_name),
    ("service-loadbalancer", services::service_loadbalancer),
    ("service-no-match", networking::service_no_match),
    ("service-nodeport", services::service_nodeport),
    ("service-port-range", house::service_port_range),
    ("service-selects-strangers", services::service_selects_strangers),
    ("service-targetport-missing", networking::service_targetport_missing),
    ("servicemonitor-no-match", services::servicemonitor_no_match),
    ("servicemonitor-port-missing", services::servicemonitor_port_missing),
    ("spread-selector-mismatch", workload::spread_selector_mismatch),
    ("statefulset-service", rollout::statefulset_service),
    ("storage-class-missing", volumes::storage_class_missing),
    ("storage-class-policy", house::storage_class_policy),
    ("strategy-recreate", rollout::strategy_recreate),
    ("system-namespace", workload::system_namespace),
    ("too-many-containers", house::too_many_containers),
    ("unsafe-sysctl", security::unsafe_sysctl),
    ("volume-type-restricted", house::volume_type_restricted),
    ("vpa-target-missing", autoscaling::vpa_target_missing),
    ("webhook-self-lock", services::webhook_self_lock),
    ("webhook-service-missing", services::webhook_service_missing),
    ("workload-selector-overlap", workload::workload_selector_overlap),
    ("writable-root-fs", security::writable_root_fs),
];

/// Runs the rules that are switched on over the objects of their kinds; a panic in one rule is one diagnostic, not the end. What `live` holds, the state of
/// the cluster around the set, is there for references too.
pub fn run(bundle: &Bundle, live: Option<&Bundle>, settings: &Settings) -> Vec<Diagnostic> {
    let index = Index::new(bundle, live, settings);
    let params = Params::new(settings);
    let dispatch = Dispatch::new(bundle, settings, &params);
    let ids: Vec<ObjectId> = bundle.ids().collect();
    ids.par_iter().flat_map_iter(|id| check_object(bundle, &index, &dispatch, settings, *id)).collect()
}

fn check_object<'a>(
    bundle: &'a Bundle,
    index: &Index<'a>,
    dispatch: &Dispatch<'a>,
    settings: &Settings,
    id: ObjectId,
) -> Vec<Diagnostic> {
    let object = bundle.object(id);
    let root = bundle.admitted(id);
    let template = object.template(root);
    let mut found = Vec::new();
    for Entry { rule, check, params } in dispatch.rules(object.group(), &object.kind).iter().copied() {
        let all_params = dispatch.params;
        let mut cx =
            Cx { rule, bundle, index, settings, params, all_params, id, object, root, template, found: Vec::new() };
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
    settings: &'a Settings,
    /// The rule's parameters.
    params: &'a RuleParams,
    /// Those of the other rules, for what several of them share.
    all_params: &'a Params<'a>,
    id: ObjectId,
    object: &'a Object,
    /// The object with its defaults and what admission adds.
    root: View<'a>,
    /// Its pod template, of a workload.
    template: Option<PodTemplate<'a>>,
    found: Vec<Diagnostic>,
}

impl<'a> Cx<'a> {
    /// Whether the object is of a kind, whatever its version.
    fn is(&self, group: &str, kind: &str) -> bool {
        self.object.group() == group && self.object.kind == kind
    }

    /// The pod template of a workload.
    fn template(&self) -> Option<PodTemplate<'a>> {
        self.template
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

#[cfg(test)]
mod tests {
    use super::CHECKS;
    use super::catalog::RULES;

    #[test]
    fn every_function_has_its_file_in_the_catalogue() {
        let unknown: Vec<&str> =
            CHECKS.iter().map(|(id, _)| *id).filter(|id| RULES.iter().all(|rule| rule.id != *id)).collect();
        assert_eq!(unknown, Vec::<&str>::new());
        assert!(CHECKS.is_sorted_by_key(|(id, _)| *id));
    }
}
