//! Repositories and inputs that give no report, too much of one, or try to speak to the runner.

use std::fs;

use libtest_mimic::Failed;

use crate::{Stage, Test};

pub const TESTS: [(&str, Test); 4] = [
    ("nothing_to_judge", nothing),
    ("wrong_inputs", wrong_inputs),
    ("large_reports_keep_the_limits", limits),
    ("manifests_give_the_runner_no_commands", forged),
];

fn nothing() -> Result<(), Failed> {
    let stage = Stage::new("nothing").with_file("note.md", "no manifest\n");
    let done = stage.run(&[]);
    assert_eq!((done.success, done.output("exit-code")), (false, "3"), "{}", done.log);
    for name in ["errors", "findings", "sarif", "json"] {
        assert_eq!(done.output(name), "", "{name}");
    }
    let errors = done.annotations("error");
    assert_eq!(errors.len(), 1);
    assert!(errors[0].text.contains("no manifests"), "{errors:?}");
    assert!(done.summary.starts_with("## ✗ kplan ended with 3\n\n    error: no manifests"), "{}", done.summary);
    let allowed = stage.run(&[("args", "--allow-empty")]);
    assert_eq!((allowed.success, allowed.output("exit-code"), allowed.output("findings")), (true, "0", "0"));
    Ok(())
}

fn wrong_inputs() -> Result<(), Failed> {
    let stage = Stage::new("wrong inputs").with_bundle("tutorial", "deploy");
    let wrong = [
        ("command", "apply\n::add-mask::x", "apply"),
        ("command", "--help", "--help"),
        ("fail-on", "sometimes", "sometimes"),
        ("kube-version", "9.9", "9.9"),
        ("nodes", "no such file.yaml", "no such file.yaml"),
        ("base", "empty", "--base"),
        ("paths", "no such folder", "no such folder"),
        ("args", "--colour", "--colour"),
        ("args", "--output json", "two outputs want to go to stdout"),
    ];
    for (input, value, said) in wrong {
        let done = stage.run(&[(input, value)]);
        assert_eq!((done.success, done.output("exit-code"), done.output("errors")), (false, "2", ""), "{input}");
        let errors = done.annotations("error");
        assert_eq!(errors.len(), 1, "{input}");
        assert!(errors[0].text.starts_with("error: ") && errors[0].text.contains(said), "{input}: {errors:?}");
        assert!(done.summary.contains("ended with 2"), "{input}: {}", done.summary);
    }
    assert!(stage.calls().iter().all(|call| call[0] == "check"), "{:?}", stage.calls());
    Ok(())
}

fn limits() -> Result<(), Failed> {
    let object = |index: usize| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: s{index}}}\nspec:\n  selector: {{app: ünknown{index}}}\n  ports: [{{port: {}}}]\n---\n",
            if index.is_multiple_of(2) { "80" } else { "0" }
        )
    };
    // Services alone are taken for a part of a set, whose pods are elsewhere.
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: \"web:1.0\"}]}\n---\n";
    let text: String = std::iter::once(pod.to_owned()).chain((0..3000).map(object)).collect();
    let stage = Stage::new("limits").with_file("many.yaml", &text);
    let done = stage.run(&[]);
    assert_eq!((done.output("exit-code"), stage.calls().len()), ("1", 1));
    let number = |name: &str| done.output(name).parse::<usize>().unwrap();
    assert!(number("errors") >= 1500 && number("warnings") >= 1500, "{:?}", done.outputs);
    for (kind, number) in [("error", number("errors")), ("warning", number("warnings"))] {
        let shown = done.annotations(kind);
        assert_eq!(shown.len(), 10, "{kind}");
        assert!(shown[9].text.starts_with(&format!("{} more", number - 9)), "{:?}", shown[9]);
    }
    assert!(done.summary.contains("rows left out"), "{}", done.summary.len());
    assert_eq!(crate::sarif::results(&done, &stage.job.workspace)?.len(), number("findings"));
    Ok(())
}

/// File names, values and keys of a pull request are whatever its author wants them to be.
fn forged() -> Result<(), Failed> {
    let object = |index: usize| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: \"x{index}\\n::add-mask::n ##[add-mask]n\"\ndata:\n  \"a\\n::set-output name=exit-code::0\": 1\n---\n"
        )
    };
    let text: String = (0..15).map(object).collect();
    let mut stage = Stage::new("forged").with_file("a.yaml", &text);
    for name in ["::add-mask::b.yaml", "c ##[add-mask]d.yaml", "e\n::add-mask::f.yaml"] {
        stage = stage.with_file(name, &text);
    }
    let done = stage.run(&[]);
    assert_eq!(done.output("exit-code"), "1");
    assert!(done.log.contains("add-mask"), "{}", done.log);
    // Any other command is a failure of `annotations`.
    assert_eq!(done.annotations("error").len(), 10);
    assert_eq!(done.summary.matches("\n::add-mask").count(), 0, "{}", done.summary);

    fs::write(stage.job.workspace.join("kplan.yaml"), "\"x\\n::add-mask::y ##[add-mask]z\": 1\n")?;
    let done = stage.run(&[]);
    assert_eq!(done.output("exit-code"), "2", "{}", done.log);
    assert_eq!(done.annotations("error").len(), 1);
    Ok(())
}
