//! The live cluster of a run: which context, what is served there, and what it holds.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, IsTerminal};

use super::args::{ClusterArgs, PolicyArgs};
use super::error::CliError;
use super::options::Options;
use crate::cluster::{
    self, ApplySet, Ask, Client, ClusterError, Connect, Connection, Replicas, Request, Resources, Wanted,
};
use crate::diff::{Change, ConflictRule, Knowledge, OnConflict, Policy};
use crate::model::{Bundle, ObjectId, Version};
use crate::plan;
use crate::schema::Schema;
use crate::snapshot::{EVERYWHERE, NEARBY, REFERRED, REST};
use crate::yaml::View;

/// A cluster that is spoken to, and what it serves.
pub(super) struct Cluster {
    pub connection: Connection,
    pub resources: Resources,
    /// `v1.36.3`.
    pub version: String,
    timeout: std::time::Duration,
}

/// What a command wants from the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The counterparts of the set.
    Objects,
    /// Besides, what decides where pods land, and what references may lead to.
    Surroundings,
}

/// Kinds whose replicas an autoscaler may set.
const SCALABLE: [&str; 4] = ["Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"];

/// Whether the command line or the config names a cluster.
pub(super) fn is_named(args: &ClusterArgs, options: &Options) -> bool {
    args.context.is_some() || context_of_config(options).is_some()
}

fn contexts(options: &Options) -> &[String] {
    options.config.as_ref().map_or(&[], |config| config.contexts.as_slice())
}

/// A config with one context names it.
fn context_of_config(options: &Options) -> Option<&String> {
    match contexts(options) {
        [only] => Some(only),
        _ => None,
    }
}

/// Whether nobody sits at a terminal.
pub(super) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false" && value != "0")
}

/// Connects, and settles what the cluster decides: the namespace of objects that name none, the version of the rules.
///
/// # Errors
/// No context is named where one must be, the config does not allow it, or the server gives no answer.
pub(super) fn connect(args: &ClusterArgs, options: &mut Options) -> Result<Cluster, CliError> {
    let context = args.context.clone().or_else(|| context_of_config(options).cloned());
    if context.is_none() && is_ci() {
        let help = "name it with --context, or alone under `contexts:` in kplan.yaml";
        return Err(CliError::usage("no context is named, and CI is set: kplan does not guess there", help));
    }
    let connect = Connect {
        kubeconfig: args.kubeconfig.clone(),
        context,
        timeout: args.request_timeout,
        interactive: io::stdin().is_terminal() && !is_ci(),
    };
    let connection = cluster::connect(&connect)?;
    let allowed = contexts(options);
    if !allowed.is_empty() && !allowed.contains(&connection.context) {
        let message = format!("kplan.yaml does not allow context `{}`", connection.context);
        return Err(CliError::usage(message, format!("`contexts:` there has: {}", allowed.join(", "))));
    }
    let client = Client::new(&*connection.transport, args.request_timeout);
    let version = server_version(&client)?;
    let resources = Resources::discover(&client)?;
    if let Some(namespace) = connection.namespace.clone().filter(|_| !options.has_namespace) {
        options.settings.namespace = namespace;
    }
    let known = version.parse::<Version>().ok().filter(|version| Schema::of(*version).is_some());
    if let Some(known) = known.filter(|_| !options.has_version) {
        options.versions = vec![known];
        options.settings.kube_version = known;
    }
    options.take_cluster_version(&version, "the cluster");
    Ok(Cluster { connection, resources, version, timeout: args.request_timeout })
}

fn server_version(client: &Client<'_>) -> Result<String, CliError> {
    let response = client.send(&Request::get("/version"))?;
    let json: serde_json::Value = serde_json::from_str(&response.body).unwrap_or_default();
    match json["gitVersion"].as_str() {
        Some(version) => Ok(version.to_owned()),
        None => {
            let help = "check the `server` of the cluster in the kubeconfig; a login page or a proxy may answer there";
            Err(CliError::usage("what answers is no Kubernetes API server: /version gives no version", help))
        }
    }
}

impl From<ClusterError> for CliError {
    fn from(error: ClusterError) -> CliError {
        CliError::new(super::error::ErrorKind::Cluster, error.message, error.help)
    }
}

impl Cluster {
    pub(super) fn client(&self) -> Client<'_> {
        Client::new(&*self.connection.transport, self.timeout)
    }

    /// `context kind-dev (https://127.0.0.1:6443, v1.36.3)`.
    pub(super) fn title(&self) -> String {
        format!("context {} ({}, {})", self.connection.context, self.connection.server, self.version)
    }

    /// Whether a kind is namespaced, where the cluster serves it.
    pub(super) fn scope(&self, api_version: &str, kind: &str) -> Option<bool> {
        self.resources.get(api_version, kind).map(|resource| resource.namespaced)
    }

    /// Reads the live counterparts of a set, and what else a command wants.
    pub(super) fn read(&self, bundle: &Bundle, scope: Scope) -> Result<cluster::Live, CliError> {
        let mut wanted = Vec::new();
        let mut namespaces = BTreeSet::new();
        for (id, object) in bundle.iter() {
            let namespace = object.namespace.clone();
            if bundle.written(id).at(&["metadata", "name"]).is_some() {
                let (api_version, kind) = (object.api_version.clone(), object.kind.clone());
                wanted.push(Wanted {
                    api_version,
                    kind,
                    namespace: namespace.clone(),
                    name: Some(object.name.clone()),
                });
            }
            if SCALABLE.contains(&object.kind.as_str()) {
                wanted.push(all(("autoscaling/v2", "HorizontalPodAutoscaler"), namespace.as_deref()));
            }
            let referred = REFERRED.iter().filter(|(kind, _)| scope == Scope::Surroundings && *kind == object.kind);
            wanted
                .extend(referred.map(|(_, kind)| all(*kind, namespace.as_deref().filter(|_| kind.1 != "ClusterRole"))));
            namespaces.extend(namespace);
        }
        for namespace in &namespaces {
            wanted.push(Wanted { name: Some(namespace.clone()), ..all(("v1", "Namespace"), None) });
            if scope == Scope::Surroundings {
                wanted.extend(NEARBY.iter().map(|kind| all(*kind, Some(namespace))));
            }
        }
        if scope == Scope::Surroundings {
            wanted.extend(EVERYWHERE.iter().map(|kind| all(*kind, None)));
        }
        Ok(cluster::read(&self.client(), &self.resources, &wanted)?)
    }

    /// Reads everything that a snapshot holds.
    pub(super) fn read_all(&self) -> Result<cluster::Live, CliError> {
        let kinds = EVERYWHERE.iter().chain(&NEARBY).chain(&REST);
        let wanted: Vec<Wanted> = kinds.map(|kind| all(*kind, None)).collect();
        Ok(cluster::read(&self.client(), &self.resources, &wanted)?)
    }

    /// Asks the server what it would make of each object of the set. Nothing is written.
    pub(super) fn ask(
        &self,
        bundle: &Bundle,
        live: &Bundle,
        set: Option<&ApplySet>,
        policy: Policy,
    ) -> Result<Knowledge, CliError> {
        let replicas = replicas(bundle, live);
        let claims = set.map(|set| self.claims(set, (bundle, live), &policy)).unwrap_or_default();
        let resources = &self.resources;
        let own_namespaces = own_namespaces(bundle, live);
        let ask = Ask { bundle, resources, live, own_namespaces, replicas, claims, policy: &policy };
        let answers = cluster::ask(&self.client(), &ask)?;
        let left = set.map(|set| set.left.clone()).unwrap_or_default();
        Ok(Knowledge { answers, policy, left })
    }
}

impl Cluster {
    /// The rights that carrying out the changes needs and the user does not have.
    pub(super) fn missing(
        &self,
        bundle: &Bundle,
        changes: &[Change],
        knowledge: &Knowledge,
    ) -> Result<cluster::Missing, CliError> {
        let answer = |change: &Change| change.desired.and_then(|id| knowledge.answers.get(&id));
        let asked = changes.iter().map(|change| (change, answer(change)));
        Ok(cluster::missing(&self.client(), &self.resources, bundle, asked)?)
    }
}

/// What the command line says of others' fields and of objects that can only be made anew, over what kplan.yaml says.
pub(super) fn policy(args: &PolicyArgs, options: &Options) -> Policy {
    let on_conflict = match args.conflicts.as_str() {
        _ if args.force_conflicts => OnConflict::Force,
        "leave" => OnConflict::Leave,
        "force" => OnConflict::Force,
        _ => OnConflict::Fail,
    };
    let rules = options.config.as_ref().map(|config| config.conflicts.clone()).unwrap_or_default();
    let rules = rules.into_iter().map(|rule| ConflictRule {
        kind: rule.kind,
        path: rule.path,
        manager: rule.manager,
        on: match rule.action.as_str() {
            "leave" => OnConflict::Leave,
            "force" => OnConflict::Force,
            _ => OnConflict::Fail,
        },
    });
    let (take_over, allow_replace) = (args.take_over.clone(), args.allow_replace.clone());
    Policy { on_conflict, rules: rules.collect(), take_over, allow_replace }
}

/// All objects of a kind, in a namespace or everywhere.
fn all((api_version, kind): (&str, &str), namespace: Option<&str>) -> Wanted {
    let namespace = namespace.map(str::to_owned);
    Wanted { api_version: api_version.to_owned(), kind: kind.to_owned(), namespace, name: None }
}

/// Namespaces that the set makes, and whether the cluster lacks them.
pub(super) fn own_namespaces(bundle: &Bundle, live: &Bundle) -> HashMap<String, bool> {
    let is_namespace =
        |(_, object): &(ObjectId, &crate::model::Object)| object.kind == "Namespace" && object.group().is_empty();
    let there = |name: &str| live.iter().filter(is_namespace).any(|(_, object)| object.name == name);
    bundle.iter().filter(is_namespace).map(|(_, object)| (object.name.clone(), !there(&object.name))).collect()
}

/// What is sent for the replicas that an autoscaler sets: leaving them out where only kplan owns the field would reset
/// them to 1.
pub(super) fn replicas(bundle: &Bundle, live: &Bundle) -> HashMap<ObjectId, Replicas> {
    let keyed: HashMap<_, _> = live.iter().map(|(id, object)| (object.key(), id)).collect();
    let autoscaled = plan::autoscaled(bundle, live);
    let sent = |id: &ObjectId| {
        let view = live.written(*keyed.get(&bundle.object(*id).key())?);
        let number = view.at(&["spec", "replicas"]).and_then(View::int)?;
        let others = owners_of_replicas(view).any(|manager| manager != "kplan");
        Some(if others { Replicas::LeaveOut } else { Replicas::Live(number) })
    };
    autoscaled.iter().filter_map(|id| Some((*id, sent(id)?))).collect()
}

/// Managers that own `spec.replicas`, by `metadata.managedFields`.
fn owners_of_replicas(view: View<'_>) -> impl Iterator<Item = &str> {
    let entries = view.get("metadata").into_iter().flat_map(|metadata| metadata.list("managedFields"));
    entries
        .filter(|entry| entry.at(&["fieldsV1", "f:spec", "f:replicas"]).is_some())
        .filter_map(|entry| entry.get_str("manager"))
}
