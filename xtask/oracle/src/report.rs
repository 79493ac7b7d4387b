//! What a run found, worst first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::answer::template;
use crate::{Asked, Decides};

/// How often the judges agreed over some cases.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    asked: usize,
    rejected: usize,
    verdicts: usize,
    causes: usize,
    messages: usize,
    /// Accepted by the server, rejected by kplan.
    false_alarms: usize,
    warned: usize,
    warnings: usize,
}

impl Tally {
    fn add(&mut self, asked: &Asked) {
        let agrees = asked.agrees;
        self.asked += 1;
        self.verdicts += usize::from(agrees.verdict);
        if asked.server.is_accepted() {
            self.false_alarms += usize::from(!asked.ours.is_accepted());
            self.warned += usize::from(!asked.server.warnings.is_empty());
            self.warnings += usize::from(agrees.warnings && !asked.server.warnings.is_empty());
        } else {
            self.rejected += 1;
            self.causes += usize::from(agrees.causes);
            self.messages += usize::from(agrees.message);
        }
    }

    fn line(&self, name: &str) -> String {
        format!(
            "{name:<38}{:>7}{:>9}{:>10}{:>9}{:>10}{:>7}",
            self.asked,
            self.rejected,
            share(self.verdicts, self.asked),
            share(self.causes, self.rejected),
            share(self.messages, self.rejected),
            self.false_alarms,
        )
    }

    fn worst(&self) -> usize {
        (self.asked - self.verdicts) * 100 + (self.rejected - self.messages)
    }
}

fn share(part: usize, whole: usize) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    format!("{:.2} %", 100.0 * part as f64 / whole as f64)
}

/// The tables of a run.
pub(crate) fn tables(asked: &[Asked]) -> String {
    let judged: Vec<&Asked> = asked.iter().filter(|asked| asked.decides == Decides::Object).collect();
    let mut total = Tally::default();
    let (mut kinds, mut operations, mut reasons) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for asked in &judged {
        total.add(asked);
        tally(&mut kinds, asked.kind.clone()).add(asked);
        tally(&mut operations, if asked.case.old.is_some() { "update" } else { "create" }.to_owned()).add(asked);
        for reason in asked.reasons() {
            tally(&mut reasons, reason).add(asked);
        }
    }
    let mut out = String::new();
    let head = format!(
        "{:<38}{:>7}{:>9}{:>10}{:>9}{:>10}{:>7}\n",
        "", "asked", "rejected", "verdicts", "causes", "messages", "false"
    );
    for group in [kinds, operations, reasons] {
        let mut lines: Vec<(String, Tally)> = group.into_iter().collect();
        lines.sort_by(|(one, a), (two, b)| b.worst().cmp(&a.worst()).then_with(|| one.cmp(two)));
        out.push_str(&head);
        for (name, tally) in lines {
            let _ = writeln!(out, "{}", tally.line(&name));
        }
        out.push('\n');
    }
    let _ = writeln!(out, "{head}{}", total.line("all"));
    let _ = writeln!(out, "warnings: {} of {} accepted objects with warnings", total.warnings, total.warned);
    let state = asked.len() - judged.len();
    let _ = writeln!(out, "{state} answers depend on what else the cluster has, and are not counted:");
    let elsewhere = asked.iter().filter(|asked| asked.decides == Decides::Cluster);
    let mut words: BTreeMap<String, usize> = BTreeMap::new();
    for line in elsewhere.flat_map(|asked| asked.server.lines().into_iter().take(1)) {
        *words.entry(message_template(&line)).or_default() += 1;
    }
    for (line, count) in words {
        let _ = writeln!(out, "  {count} × {line}");
    }
    out
}

fn tally(group: &mut BTreeMap<String, Tally>, name: String) -> &mut Tally {
    group.entry(name).or_default()
}

/// The differences by what the judges said, most frequent first, with the smallest of the cases.
pub(crate) fn differences<'a>(asked: &'a [Asked]) -> Vec<(usize, &'a Asked)> {
    let mut groups: BTreeMap<_, Vec<&'a Asked>> = BTreeMap::new();
    for asked in asked.iter().filter(|asked| asked.decides == Decides::Object && !asked.agrees.is_full()) {
        groups.entry((asked.pathless(), asked.agrees.verdict)).or_default().push(asked);
    }
    let mut found: Vec<(usize, &Asked)> = groups
        .into_values()
        .filter_map(|group| {
            let smallest = group.iter().min_by_key(|asked| asked.case.object.to_string().len())?;
            Some((group.len(), *smallest))
        })
        .collect();
    found.sort_by(|(a, one), (b, two)| b.cmp(a).then_with(|| one.case.name.cmp(&two.case.name)));
    found
}

/// Templates of the server's messages that are in no list yet.
pub(crate) fn unseen(asked: &[Asked], known: &BTreeSet<String>) -> BTreeSet<String> {
    let lines = asked.iter().flat_map(|asked| asked.server.lines());
    lines.map(|line| message_template(&line)).filter(|line| !known.contains(line)).collect()
}

/// A template without the path in front.
pub(crate) fn message_template(line: &str) -> String {
    let line = template(line);
    match line.split_once(": ") {
        Some((path, rest)) if !path.contains(' ') => rest.to_owned(),
        _ => line,
    }
}
