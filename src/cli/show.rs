//! `kplan show`: objects as they decode, or any YAML as kubectl's reader has it.

use std::io::{self, BufWriter, Read, Write};

use serde_json::Value;

use super::args::{NodeArgs, ReportArgs, ShowArgs, Terms};
use super::error::{CliError, ErrorKind, Exit, io_text};
use super::options::Options;
use super::stages::Run;
use crate::defaults;
use crate::model::{Bundle, ObjectId};
use crate::report::mask::{self, Mask};
use crate::schema::{self, Schema};
use crate::source::SourceText;
use crate::yaml;

pub(super) fn run(args: &ShowArgs) -> Result<Exit, CliError> {
    if args.raw {
        return raw(args);
    }
    if let Some(version) = &args.to {
        let help = "leave --to away; `kplan check --fix` moves objects off removed versions";
        return Err(CliError::usage(format!("--to {version}: objects cannot be converted yet"), help));
    }
    let report = ReportArgs { show_secrets: args.show_secrets, ..ReportArgs::default() };
    let terms = Terms { color: super::args::Color::Never, verbose: 0, quiet: true };
    let options = Options::new(&args.input, &report, &NodeArgs::default(), &terms)?;
    let mut run = Run::read(options, None)?;
    run.judge();
    let (values, problems) = decode(&run, args.defaults);
    print(args, values)?;
    for problem in &problems {
        let _ = writeln!(io::stderr(), "error: {problem}");
    }
    Ok(if problems.is_empty() { Exit::Fine } else { Exit::Negative })
}

/// Every object that decodes, and why the others do not.
fn decode(run: &Run, with_defaults: bool) -> (Vec<Value>, Vec<String>) {
    let (mut values, mut problems) = (Vec::new(), run.unreadable());
    let hides = !run.options.settings.show_secrets;
    let mask = if hides { Mask::new(&run.bundle) } else { Mask::none() };
    for id in run.bundle.ids() {
        match object(&run.bundle, id, run.options.settings.kube_version, with_defaults) {
            Ok(json) => match serde_json::from_str::<Value>(&json) {
                Ok(mut value) => {
                    if hides {
                        mask::object(&mut value);
                        // Others may hold what a Secret does.
                        mask.hide(&mut value);
                    }
                    values.push(value);
                }
                Err(error) => problems.push(error.to_string()),
            },
            Err(message) => {
                let object = run.bundle.object(id);
                let source = run.bundle.sources.get(object.file);
                let line = source.line_column(run.bundle.written(id).span().start).line;
                let message = mask.text(&message);
                problems.push(format!("{}:{line}: {}: {message}", source.name, object.title()));
            }
        }
    }
    (values, problems)
}

/// The JSON of an object; the error is the server's message. Objects without a schema are shown as written.
fn object(
    bundle: &Bundle,
    id: ObjectId,
    version: crate::model::Version,
    with_defaults: bool,
) -> Result<String, String> {
    let (object, written) = (bundle.object(id), bundle.written(id));
    let kind = Schema::of(version).and_then(|schema| Some((schema, schema.served(&object.api_version, &object.kind)?)));
    let Some((schema, kind)) = kind else {
        return Ok(written.to_json());
    };
    if let Some(message) = schema::check(schema, kind, written).message {
        return Err(message);
    }
    let (mut tree, root) = match with_defaults {
        true => defaults::object(schema, written, kind),
        false => defaults::decoded(schema, written, kind),
    };
    defaults::without_server_metadata(&mut tree, root);
    Ok(tree.view(root).to_json())
}

fn print(args: &ShowArgs, values: Vec<Value>) -> Result<(), CliError> {
    let mut out = BufWriter::new(io::stdout().lock());
    if args.output.as_deref() == Some("json") {
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": values});
        serde_json::to_writer_pretty(&mut out, &list).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(out.flush()?);
    }
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            writeln!(out, "---")?;
        }
        let text = serde_yaml::to_string(value).map_err(|error| {
            CliError::new(ErrorKind::Internal, format!("cannot write YAML: {error}"), "use --output json")
        })?;
        write!(out, "{text}")?;
    }
    Ok(out.flush()?)
}

/// One line of JSON a document, up to the first that cannot be read.
fn raw(args: &ShowArgs) -> Result<Exit, CliError> {
    let given = args.input.paths.iter().chain(&args.input.filenames);
    let paths: Vec<&str> = given.map(String::as_str).collect();
    let paths = if paths.is_empty() { vec!["-"] } else { paths };
    let mut out = BufWriter::new(io::stdout().lock());
    for path in paths {
        let text = read(path)?;
        let file = yaml::read(&text);
        for document in &file.documents {
            if let Some(error) = &document.error {
                out.flush()?;
                let place = crate::source::Source::new(path, text.clone()).line_column(error.span.start);
                let message = format!("{path}:{}:{}: {}", place.line, place.column, error.message);
                return Err(CliError::new(ErrorKind::Usage, message, "correct it there; kubectl gives the same error"));
            }
            if let Some(root) = document.root {
                writeln!(out, "{}", file.tree.view(root).to_json())?;
            }
        }
    }
    out.flush()?;
    Ok(Exit::Fine)
}

fn read(path: &str) -> Result<SourceText, CliError> {
    let mut bytes = Vec::new();
    let result = if path == "-" {
        io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(path).map(|read| bytes = read)
    };
    result.map_err(|error| {
        CliError::usage(format!("cannot read {path}: {}", io_text(&error)), "name a file, or - for standard input")
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let message = format!("cannot read {path}: not UTF-8 at byte {at}");
        CliError::usage(message, "kubectl would refuse it too; convert the file")
    })?;
    Ok(text.into())
}
