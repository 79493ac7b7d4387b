//! Reading the live state: lists where many objects of a kind are wanted, single objects elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::discovery::escape;
use super::{Client, ClusterError, Request, Resource, Resources, parallel, status_of};
use crate::load::Loaded;
use crate::model::{Role, SetId};
use crate::snapshot::Unread;
use crate::source::Source;

/// From so many objects of a kind in a namespace on, one list is cheaper than asking for each.
const LIST_FROM: usize = 4;
/// Secrets that nobody asked for are read only where that saves many requests.
const SECRETS_FROM: usize = 16;
/// Objects of one answer to a list.
const PAGE: usize = 500;

/// An object, or all of a kind, that is wanted from the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub api_version: String,
    pub kind: String,
    pub namespace: Option<String>,
    /// `None` for all, in the namespace or everywhere.
    pub name: Option<String>,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Live {
    /// One source for each answer.
    pub loaded: Loaded,
    /// What could not be read and why.
    pub unread: Vec<Unread>,
    /// Kinds of which all objects were asked for, with the namespaces where; none for everywhere.
    pub whole: BTreeMap<String, BTreeSet<String>>,
}

/// One request, with pages where it is a list.
#[derive(Clone, Debug)]
struct Read {
    resource: Resource,
    namespace: Option<String>,
    name: Option<String>,
}

impl Read {
    fn what(&self) -> String {
        let inside = self.namespace.as_ref().map(|namespace| format!(" in {namespace}")).unwrap_or_default();
        match &self.name {
            Some(name) => format!("{} {name}{inside}", self.resource.kind),
            None => format!("{}{inside}", self.resource.plural),
        }
    }
}

/// What one request gave.
enum Got {
    Texts(Vec<String>),
    /// Not there.
    Nothing,
    /// Refused, with the server's words.
    Refused {
        is_right: bool,
        message: String,
    },
}

/// Reads what is wanted. Kinds that are not served have no objects; a list that is forbidden is tried object by object.
///
/// # Errors
/// The server gives no answer.
pub fn read(client: &Client<'_>, resources: &Resources, wanted: &[Wanted]) -> Result<Live, ClusterError> {
    let mut live = Live { whole: whole(wanted), ..Live::default() };
    let reads = plan(resources, wanted);
    let answers = parallel(&reads, |read| one(client, read));
    let mut again = Vec::new();
    for (read, answer) in reads.into_iter().zip(answers) {
        match answer? {
            Got::Refused { is_right: true, .. }
                if read.name.is_none() && !singles(resources, wanted, &read).is_empty() =>
            {
                again.extend(singles(resources, wanted, &read));
            }
            got => live.add(&read, got),
        }
    }
    let answers = parallel(&again, |read| one(client, read));
    for (read, answer) in again.iter().zip(answers) {
        live.add(read, answer?);
    }
    Ok(live)
}

impl Live {
    fn add(&mut self, read: &Read, got: Got) {
        match got {
            Got::Texts(texts) => {
                for text in texts {
                    self.loaded.sources.add(Source::new(format!("cluster: {}", read.what()), text));
                    self.loaded.sets.push(SetId(0));
                    self.loaded.roles.push(Role::State);
                    self.loaded.explicit.push(false);
                }
            }
            Got::Nothing => {}
            Got::Refused { message, .. } => {
                self.unread.push(Unread { kind: read.resource.kind.clone(), why: message });
            }
        }
    }
}

/// The kinds of which all objects are wanted.
fn whole(wanted: &[Wanted]) -> BTreeMap<String, BTreeSet<String>> {
    let mut whole: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for want in wanted.iter().filter(|want| want.name.is_none() && want.namespace.is_some()) {
        whole.entry(want.kind.clone()).or_default().extend(want.namespace.clone());
    }
    let everywhere = wanted.iter().filter(|want| want.name.is_none() && want.namespace.is_none());
    whole.extend(everywhere.map(|want| (want.kind.clone(), BTreeSet::new())));
    whole
}

/// The fewest requests: what a wider list covers is not asked for again.
fn plan(resources: &Resources, wanted: &[Wanted]) -> Vec<Read> {
    let mut everywhere: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut lists: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    let mut names: BTreeMap<(&str, &str, &str), BTreeSet<&str>> = BTreeMap::new();
    for want in wanted {
        let kind = (want.api_version.as_str(), want.kind.as_str());
        let namespace = want.namespace.as_deref().unwrap_or_default();
        match (&want.name, namespace) {
            (None, "") => drop(everywhere.insert(kind)),
            (None, namespace) => drop(lists.insert((kind.0, kind.1, namespace))),
            (Some(name), _) => drop(names.entry((kind.0, kind.1, namespace)).or_default().insert(name)),
        }
    }
    for (place, names) in &names {
        if names.len() >= if place.1 == "Secret" { SECRETS_FROM } else { LIST_FROM } {
            lists.insert(*place);
        }
    }
    let mut reads: Vec<Read> = Vec::new();
    let mut push = |kind: (&str, &str), namespace: &str, name: Option<&str>| {
        let Some(resource) = resources.get(kind.0, kind.1) else { return };
        let namespace = (resource.namespaced && !namespace.is_empty()).then(|| namespace.to_owned());
        reads.push(Read { resource: resource.clone(), namespace, name: name.map(str::to_owned) });
    };
    everywhere.iter().for_each(|kind| push(*kind, "", None));
    let covered = |place: &(&str, &str, &str)| everywhere.contains(&(place.0, place.1));
    lists.iter().filter(|place| !covered(place)).for_each(|place| push((place.0, place.1), place.2, None));
    for (place, names) in names.iter().filter(|(place, _)| !covered(place) && !lists.contains(*place)) {
        names.iter().for_each(|name| push((place.0, place.1), place.2, Some(name)));
    }
    reads
}

/// The single objects that a forbidden list was to give.
fn singles(resources: &Resources, wanted: &[Wanted], list: &Read) -> Vec<Read> {
    let inside = |want: &&Wanted| {
        (&want.api_version, &want.kind) == (&list.resource.api_version, &list.resource.kind)
            && (list.namespace.is_none() || want.namespace == list.namespace)
    };
    let mut seen = HashMap::new();
    for want in wanted.iter().filter(inside) {
        if let (Some(name), Some(resource)) = (&want.name, resources.get(&want.api_version, &want.kind)) {
            let namespace = want.namespace.clone().filter(|_| resource.namespaced);
            let read = Read { resource: resource.clone(), namespace: namespace.clone(), name: Some(name.clone()) };
            seen.entry((namespace, name.clone())).or_insert(read);
        }
    }
    let mut all: Vec<_> = seen.into_iter().collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.into_iter().map(|(_, read)| read).collect()
}

fn one(client: &Client<'_>, read: &Read) -> Result<Got, ClusterError> {
    let namespace = read.namespace.as_deref();
    if let Some(name) = &read.name {
        let response = client.send(&Request::get(read.resource.object(namespace, name)))?;
        return Ok(match response.status {
            _ if response.is_ok() => Got::Texts(vec![response.body]),
            404 => Got::Nothing,
            _ => refused(&response),
        });
    }
    let path = read.resource.collection(namespace);
    let (mut texts, mut next) = (Vec::new(), String::new());
    loop {
        let query = if next.is_empty() { String::new() } else { format!("&continue={}", escape(&next)) };
        let response = client.send(&Request::get(format!("{path}?limit={PAGE}{query}")))?;
        match response.status {
            _ if response.is_ok() => {}
            404 => return Ok(Got::Nothing),
            // The list took longer than the server keeps its state: from the start, without pages.
            410 => {
                let response = client.send(&Request::get(path))?;
                return Ok(if response.is_ok() { Got::Texts(vec![response.body]) } else { refused(&response) });
            }
            _ => return Ok(refused(&response)),
        }
        next = continuation(&response.body);
        texts.push(response.body);
        if next.is_empty() {
            return Ok(Got::Texts(texts));
        }
    }
}

/// `metadata.continue` of a list; it stands near the start, before the items.
fn continuation(body: &str) -> String {
    #[derive(serde::Deserialize)]
    struct List {
        metadata: Value,
    }
    let list: Option<List> = serde_json::from_str(body).ok();
    list.and_then(|list| list.metadata["continue"].as_str().map(str::to_owned)).unwrap_or_default()
}

fn refused(response: &super::Response) -> Got {
    let status = status_of(response);
    Got::Refused { is_right: status.is_missing_right(), message: status.message }
}
