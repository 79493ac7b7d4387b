//! Reading a KubeSchedulerConfiguration (`kubescheduler.config.k8s.io/v1`).

use std::sync::Arc;

use super::{DEFAULT, Fit, Profile, Schedulers, ScoringStrategy};
use crate::simulate::labels::{NodeTerm, node_terms};
use crate::simulate::nodes::NodeError;
use crate::simulate::pod::Spread;
use crate::source::{SourceText, Span};
use crate::yaml::{self, View};

/// Plugins of the default profile, with the extension points at which switching one off changes answers.
const PLUGINS: [&str; 21] = [
    "SchedulingGates",
    "PrioritySort",
    "NodeUnschedulable",
    "NodeName",
    "TaintToleration",
    "NodeAffinity",
    "NodePorts",
    "NodeResourcesFit",
    "VolumeRestrictions",
    "NodeVolumeLimits",
    "VolumeBinding",
    "VolumeZone",
    "PodTopologySpread",
    "InterPodAffinity",
    "DynamicResources",
    "DefaultPreemption",
    "NodeResourcesBalancedAllocation",
    "ImageLocality",
    "DefaultBinder",
    "NodeDeclaredFeatures",
    "GangScheduling",
];
/// Where those that filter begin and end among [`PLUGINS`].
const FIRST_FILTER: usize = 2;
const LAST_FILTER: usize = 13;
/// Filters that can be switched off here.
const FILTERS: [&str; 7] = [
    "NodeUnschedulable",
    "NodeName",
    "TaintToleration",
    "NodeAffinity",
    "NodePorts",
    "PodTopologySpread",
    "InterPodAffinity",
];
const POINTS: [&str; 13] = [
    "preEnqueue",
    "queueSort",
    "preFilter",
    "filter",
    "postFilter",
    "preScore",
    "score",
    "reserve",
    "permit",
    "preBind",
    "bind",
    "postBind",
    "multiPoint",
];

/// Why a profile is not modelled, or an error in the file.
enum Trouble {
    Unknown(String),
    Wrong(NodeError),
}

fn wrong<T>(view: View<'_>, message: String) -> Result<T, Trouble> {
    Err(Trouble::Wrong(NodeError { span: Some(view.span()), message }))
}

fn not_modelled<T>(what: String) -> Result<T, Trouble> {
    Err(Trouble::Unknown(format!("{what} is not modelled")))
}

/// Reads the profiles of a file; what is not modelled makes pods of that profile unknown.
///
/// # Errors
/// What is wrong with the file, with places.
pub fn read(text: &SourceText) -> Result<Schedulers, Vec<NodeError>> {
    let file = yaml::read(text);
    let broken = |error: &yaml::ReadError| NodeError { span: Some(error.span), message: error.message.clone() };
    let errors: Vec<NodeError> =
        file.documents.iter().filter_map(|document| document.error.as_ref().map(broken)).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let roots: Vec<View<'_>> =
        file.documents.iter().filter_map(|document| Some(file.tree.view(document.root?))).collect();
    let one = |message: &str, span: Option<Span>| Err(vec![NodeError { span, message: message.to_owned() }]);
    let [root] = roots[..] else {
        return one("it is no single document; give one KubeSchedulerConfiguration", None);
    };
    let (version, kind) = (root.get_str("apiVersion").unwrap_or(""), root.get_str("kind").unwrap_or(""));
    if kind != "KubeSchedulerConfiguration" {
        return one("it is no KubeSchedulerConfiguration", Some(root.span()));
    }
    if version != "kubescheduler.config.k8s.io/v1" {
        let message = format!("apiVersion `{version}` is not kubescheduler.config.k8s.io/v1");
        return one(&message, Some(root.get("apiVersion").unwrap_or(root).span()));
    }
    const KEYS: [&str; 12] = [
        "apiVersion",
        "kind",
        "parallelism",
        "leaderElection",
        "clientConnection",
        "enableProfiling",
        "enableContentionProfiling",
        "percentageOfNodesToScore",
        "podInitialBackoffSeconds",
        "podMaxBackoffSeconds",
        "profiles",
        "extenders",
    ];
    match known_keys(root, &KEYS) {
        Err(Trouble::Wrong(error)) => Err(vec![error]),
        _ => profiles(root),
    }
}

fn profiles(root: View<'_>) -> Result<Schedulers, Vec<NodeError>> {
    let (mut schedulers, mut errors) = (Schedulers::default(), Vec::new());
    let extended = root.list("extenders").len() > 0;
    for view in root.list("profiles") {
        let name = view.get_str("schedulerName").unwrap_or(DEFAULT).to_owned();
        let named = match profile(view) {
            _ if extended => {
                Err("the configuration of the scheduler names extenders, which are not modelled".to_owned())
            }
            Ok(profile) => Ok(Arc::new(profile)),
            Err(Trouble::Unknown(why)) => Err(format!("profile {name} of the scheduler: {why}")),
            Err(Trouble::Wrong(error)) => {
                errors.push(error);
                continue;
            }
        };
        if schedulers.named.insert(name.clone(), named).is_some() {
            errors.push(NodeError { span: Some(view.span()), message: format!("profile {name} stands twice") });
        }
    }
    if root.list("profiles").len() == 0 {
        let standard = match extended {
            true => Err("the configuration of the scheduler names extenders, which are not modelled".to_owned()),
            false => Ok(Arc::new(Profile::default())),
        };
        schedulers.named.insert(DEFAULT.to_owned(), standard);
    }
    if errors.is_empty() { Ok(schedulers) } else { Err(errors) }
}

fn profile(view: View<'_>) -> Result<Profile, Trouble> {
    known_keys(view, &["schedulerName", "percentageOfNodesToScore", "plugins", "pluginConfig"])?;
    let mut profile = Profile::default();
    for (point, set) in view.map("plugins") {
        if !POINTS.contains(&point) {
            return wrong(set, format!("`{point}` is no extension point; they are {}", POINTS.join(", ")));
        }
        known_keys(set, &["enabled", "disabled"])?;
    }
    // What one point says counts for that point; multiPoint comes first.
    let points = view.map("plugins").filter(|(point, _)| *point == "multiPoint");
    for (point, set) in points.chain(view.map("plugins").filter(|(point, _)| *point != "multiPoint")) {
        disable(&mut profile, point, set)?;
        enable(&mut profile, point, set)?;
    }
    for entry in view.list("pluginConfig") {
        known_keys(entry, &["name", "args"])?;
        let Some(name) = entry.get_str("name") else { return wrong(entry, "a pluginConfig has no `name`".to_owned()) };
        if let Some(args) = entry.get("args") {
            arguments(&mut profile, name, args)?;
        }
    }
    match profile.beyond().or_else(|| reordered(view)) {
        Some(why) => Err(Trouble::Unknown(why)),
        None => Ok(profile),
    }
}

/// The point at which filters run in another order than by default, which decides what a node says
/// (`mergePluginSet`, `expandMultiPointPlugins`).
fn reordered(view: View<'_>) -> Option<String> {
    let names = |point: &str, key: &str| -> Vec<&str> {
        let set = view.get("plugins").and_then(|plugins| plugins.get(point));
        set.into_iter().flat_map(|set| set.list(key)).filter_map(|entry| entry.get_str("name")).collect()
    };
    let (own, off) = (names("multiPoint", "enabled"), names("multiPoint", "disabled"));
    let standard = PLUGINS.into_iter().filter(|name| !off.contains(name) && !off.contains(&"*"));
    let mut everywhere: Vec<&str> = standard.collect();
    let more: Vec<&str> = own.into_iter().filter(|name| !everywhere.contains(name)).collect();
    everywhere.extend(more);
    let is_moved = |point: &&str| {
        let (first, off) = (names(point, "enabled"), names(point, "disabled"));
        let rest = everywhere.iter().filter(|name| !first.contains(name) && !off.contains(name) && !off.contains(&"*"));
        let (again, new): (Vec<&str>, Vec<&str>) = first.iter().partition(|name| everywhere.contains(name));
        let all = again.into_iter().chain(rest.copied()).chain(new);
        !all.filter_map(|name| PLUGINS[FIRST_FILTER..=LAST_FILTER].iter().position(|one| *one == name)).is_sorted()
    };
    let point = ["preFilter", "filter"].into_iter().find(is_moved)?;
    Some(format!("plugins in another order at {point} are not modelled"))
}

fn known_keys(view: View<'_>, known: &[&str]) -> Result<(), Trouble> {
    match view.entries().find(|(key, _, _)| !known.contains(key)) {
        Some((key, span, _)) => {
            let message = format!("unknown field `{key}`; here may stand {}", known.join(", "));
            Err(Trouble::Wrong(NodeError { span: Some(span), message }))
        }
        None => Ok(()),
    }
}

fn plugins(set: View<'_>, key: &str) -> Result<Vec<(String, Option<i64>)>, Trouble> {
    let mut out = Vec::new();
    for entry in set.list(key) {
        let Some(name) = entry.get_str("name") else { return wrong(entry, "a plugin has no `name`".to_owned()) };
        let weight = match entry.get("weight") {
            None => None,
            Some(weight) => match weight.int().filter(|weight| (0..=i64::from(i32::MAX)).contains(weight)) {
                Some(number) => Some(number).filter(|number| *number > 0),
                None => {
                    return wrong(weight, format!("weight `{}` is no number from 0 to 2147483647", weight.written()));
                }
            },
        };
        out.push((name.to_owned(), weight));
    }
    Ok(out)
}

fn disable(profile: &mut Profile, point: &str, set: View<'_>) -> Result<(), Trouble> {
    for (name, _) in plugins(set, "disabled")? {
        let names: Vec<&str> = if name == "*" { PLUGINS.to_vec() } else { vec![&name] };
        for name in names {
            if let Some(weight) = weight_of(profile, name).filter(|_| ["score", "multiPoint"].contains(&point)) {
                *weight = 0;
            }
            // What NodeAffinity says in PreFilter goes with it at every point only.
            let whole = point == "multiPoint" || (point == "filter" && name != "NodeAffinity");
            if whole {
                profile.off.push(name.to_owned());
            } else if point != "score" {
                profile.off.push(format!("{name} at {point}"));
            }
        }
    }
    Ok(())
}

fn enable(profile: &mut Profile, point: &str, set: View<'_>) -> Result<(), Trouble> {
    for (name, weight) in plugins(set, "enabled")? {
        if !PLUGINS.contains(&name.as_str()) {
            return not_modelled(format!("plugin {name}"));
        }
        profile.off.retain(|off| match point {
            "filter" | "multiPoint" => *off != name,
            _ => *off != format!("{name} at {point}"),
        });
        let sets = ["score", "multiPoint"].contains(&point);
        if let Some(own) = weight_of(profile, &name).filter(|_| sets) {
            // What is configured takes the place of the default with its weight (`mergePluginSet`).
            *own = weight.unwrap_or(1);
        }
    }
    Ok(())
}

fn weight_of<'a>(profile: &'a mut Profile, plugin: &str) -> Option<&'a mut i64> {
    let weights = &mut profile.weights;
    Some(match plugin {
        "TaintToleration" => &mut weights.taints,
        "NodeAffinity" => &mut weights.node_affinity,
        "PodTopologySpread" => &mut weights.spread,
        "InterPodAffinity" => &mut weights.pod_affinity,
        "NodeResourcesFit" => &mut weights.fit,
        "NodeResourcesBalancedAllocation" => &mut weights.balanced,
        "ImageLocality" => &mut weights.images,
        _ => return None,
    })
}

impl Profile {
    /// What of the profile is not modelled.
    pub(super) fn beyond(&self) -> Option<String> {
        // Those that only score, and those that nothing here depends on.
        const HARMLESS: [&str; 4] =
            ["NodeResourcesBalancedAllocation", "ImageLocality", "NodeDeclaredFeatures", "GangScheduling"];
        let known = |off: &&String| FILTERS.contains(&off.as_str()) || HARMLESS.contains(&off.as_str());
        let off = self.off.iter().find(|off| !known(off))?;
        Some(format!("a scheduler without {off} is not modelled"))
    }
}

fn arguments(profile: &mut Profile, plugin: &str, args: View<'_>) -> Result<(), Trouble> {
    let head = ["apiVersion", "kind"];
    let known = |more: &[&str]| known_keys(args, &[&head[..], more].concat());
    match plugin {
        "NodeResourcesFit" => {
            known(&["ignoredResources", "ignoredResourceGroups", "scoringStrategy"])?;
            if args.list("ignoredResources").len() + args.list("ignoredResourceGroups").len() > 0 {
                return not_modelled("NodeResourcesFit with ignored resources".to_owned());
            }
            if let Some(strategy) = args.get("scoringStrategy") {
                profile.fit = fit(strategy)?;
            }
        }
        "NodeResourcesBalancedAllocation" => {
            known(&["resources"])?;
            if args.get("resources").is_some() && resource_weights(args)? != [1, 1] {
                return not_modelled("NodeResourcesBalancedAllocation without cpu or memory".to_owned());
            }
        }
        "PodTopologySpread" => {
            known(&["defaultConstraints", "defaultingType"])?;
            default_constraints(profile, args)?;
        }
        "InterPodAffinity" => {
            known(&["hardPodAffinityWeight", "ignorePreferredTermsOfExistingPods"])?;
            if let Some(weight) = args.get("hardPodAffinityWeight") {
                match weight.int().filter(|weight| (0..=100).contains(weight)) {
                    Some(number) => profile.hard_affinity = number,
                    None => {
                        return wrong(weight, format!("hardPodAffinityWeight `{}` is not 0 to 100", weight.written()));
                    }
                }
            }
            profile.own_terms_only = args.get_bool("ignorePreferredTermsOfExistingPods");
        }
        "NodeAffinity" => {
            known(&["addedAffinity"])?;
            let added = args.get("addedAffinity");
            let required = added.and_then(|added| added.get("requiredDuringSchedulingIgnoredDuringExecution"));
            profile.added_nodes = required.map(node_terms);
            let preferred =
                added.into_iter().flat_map(|added| added.list("preferredDuringSchedulingIgnoredDuringExecution"));
            let term =
                |view: View<'_>| Some((view.get_int("weight").unwrap_or(0), NodeTerm::read(view.get("preference")?)));
            profile.preferred_nodes = preferred.filter_map(term).collect();
        }
        "DefaultPreemption" => {
            known(&["minCandidateNodesPercentage", "minCandidateNodesAbsolute"])?;
            let number = |key: &str, default: usize| {
                args.get_int(key).and_then(|number| usize::try_from(number).ok()).unwrap_or(default)
            };
            let (percent, least) = profile.candidates;
            profile.candidates =
                (number("minCandidateNodesPercentage", percent), number("minCandidateNodesAbsolute", least));
        }
        "VolumeBinding" | "DynamicResources" => {}
        other => return not_modelled(format!("plugin {other}")),
    }
    Ok(())
}

fn default_constraints(profile: &mut Profile, args: View<'_>) -> Result<(), Trouble> {
    let constraints: Vec<View<'_>> = args.list("defaultConstraints").collect();
    match args.get("defaultingType") {
        None if constraints.is_empty() => {}
        Some(kind) if kind.str() == Some("System") && constraints.is_empty() => {}
        Some(kind) if kind.str() == Some("List") => {
            profile.spread = Some(constraints.into_iter().map(constraint).collect::<Result<_, _>>()?);
        }
        _ => return wrong(args, "defaultConstraints need `defaultingType: List`".to_owned()),
    }
    Ok(())
}

fn fit(strategy: View<'_>) -> Result<Fit, Trouble> {
    known_keys(strategy, &["type", "resources", "requestedToCapacityRatio"])?;
    let kind = match strategy.get_str("type") {
        None | Some("LeastAllocated") => ScoringStrategy::LeastAllocated,
        Some("MostAllocated") => ScoringStrategy::MostAllocated,
        Some("RequestedToCapacityRatio") => ScoringStrategy::RequestedToCapacityRatio(shape(strategy)?),
        Some(other) => {
            return wrong(
                strategy,
                format!("scoringStrategy `{other}` is none of LeastAllocated, MostAllocated, RequestedToCapacityRatio"),
            );
        }
    };
    // An empty list counts as none.
    let weights = if strategy.list("resources").len() > 0 { resource_weights(strategy)? } else { [1, 1] };
    Ok(Fit { strategy: kind, weights })
}

/// The points of `requestedToCapacityRatio.shape` (`validateFunctionShape`); scores of the file go to 10.
fn shape(strategy: View<'_>) -> Result<Vec<(i64, i64)>, Trouble> {
    let ratio = strategy.get("requestedToCapacityRatio").unwrap_or(strategy);
    if strategy.get("requestedToCapacityRatio").is_some() {
        known_keys(ratio, &["shape"])?;
    }
    let mut points: Vec<(i64, i64)> = Vec::new();
    for point in ratio.list("shape") {
        known_keys(point, &["utilization", "score"])?;
        let number = |key: &str, most: i64| match point.get(key) {
            None => Ok(0),
            Some(value) => match value.int().filter(|number| (0..=most).contains(number)) {
                Some(number) => Ok(number),
                None => wrong(value, format!("{key} `{}` is not 0 to {most}", value.written())),
            },
        };
        let (utilization, score) = (number("utilization", 100)?, number("score", 10)?);
        if points.last().is_some_and(|(before, _)| *before >= utilization) {
            return wrong(point, format!("utilization {utilization} is not more than that of the point before"));
        }
        points.push((utilization, score * 10));
    }
    if points.is_empty() {
        return wrong(ratio, "RequestedToCapacityRatio needs `requestedToCapacityRatio.shape` with a point".to_owned());
    }
    Ok(points)
}

fn resource_weights(view: View<'_>) -> Result<[i64; 2], Trouble> {
    let mut weights = [0, 0];
    for entry in view.list("resources") {
        let at = match entry.get_str("name") {
            Some("cpu") => 0,
            Some("memory") => 1,
            other => return not_modelled(format!("a score for the resource {}", other.unwrap_or_default())),
        };
        // Without a weight, or with zero, it is one (`SetDefaults_NodeResourcesFitArgs`).
        weights[at] = match entry.get_int("weight").unwrap_or(0) {
            0 => 1,
            weight if (1..=100).contains(&weight) => weight,
            weight => return wrong(entry, format!("weight {weight} of a resource is not 1 to 100")),
        };
    }
    Ok(weights)
}

fn constraint(view: View<'_>) -> Result<Spread, Trouble> {
    known_keys(view, &["maxSkew", "topologyKey", "whenUnsatisfiable"])?;
    let (Some(max_skew), Some(key)) = (view.get_int("maxSkew").filter(|skew| *skew > 0), view.get_str("topologyKey"))
    else {
        return wrong(view, "a default constraint needs a `topologyKey` and a `maxSkew` above zero".to_owned());
    };
    let hard = match view.get_str("whenUnsatisfiable") {
        Some("DoNotSchedule") => true,
        Some("ScheduleAnyway") => false,
        _ => return wrong(view, "whenUnsatisfiable is neither DoNotSchedule nor ScheduleAnyway".to_owned()),
    };
    let (selector, key) = (None, key.to_owned());
    Ok(Spread { max_skew, key, hard, selector, min_domains: 1, honor_affinity: true, honor_taints: false })
}
