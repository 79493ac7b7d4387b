//! Making a case small: what can be taken out while the judges still differ in the same way.

use serde_json::Value;

use crate::Judges;
use crate::generate::Case;
use crate::mutate::{Route, Step, remove};

/// Questions to the server for one case.
const LIMIT: usize = 400;

/// What the two judges say that the other does not, as templates.
pub(crate) type Signature = (Vec<String>, Vec<String>);

/// The smallest case found that differs as the given one does.
pub(crate) fn shrink(judges: &Judges<'_>, case: &Case, wanted: &Signature) -> Case {
    let mut best = case.clone();
    let mut asked = 0;
    // Large parts first: taking out the parent saves asking for its children.
    loop {
        let mut routes = Vec::new();
        collect(&best.object, &mut Vec::new(), &mut routes);
        let mut smaller = false;
        for route in routes {
            if asked >= LIMIT {
                return best;
            }
            let mut next = best.clone();
            if is_identity(&route) || remove(&mut next.object, &route).is_none() {
                continue;
            }
            asked += 1;
            if judges.ask(&next).is_ok_and(|asked| !asked.agrees.is_full() && asked.signature() == *wanted) {
                best = next;
                smaller = true;
            }
        }
        if !smaller {
            return best;
        }
    }
}

fn is_identity(route: &[Step]) -> bool {
    let keys: Vec<&str> = route.iter().map(|step| if let Step::Key(key) = step { key.as_str() } else { "" }).collect();
    matches!(keys[..], ["apiVersion" | "kind"] | ["metadata", "name"] | ["metadata"])
}

/// Every value, parents before children, items from the last.
fn collect(value: &Value, route: &mut Route, out: &mut Vec<Route>) {
    let steps: Vec<(Step, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, child)| (Step::Key(key.clone()), child)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().rev().map(|(index, child)| (Step::Index(index), child)).collect()
        }
        _ => Vec::new(),
    };
    for (step, child) in steps {
        route.push(step);
        out.push(route.clone());
        collect(child, route, out);
        route.pop();
    }
}
