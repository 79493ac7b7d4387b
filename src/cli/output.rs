//! `--output`: which formats go where, and writing them.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::args::Color;
use super::error::{CliError, ErrorKind, io_text};
use super::options::Options;
use crate::report::{self, Format, Report, Root, Style};

/// One `--output`; without a file it goes to stdout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Output {
    pub format: Format,
    pub file: Option<PathBuf>,
}

/// Reads `FORMAT[=FILE]`; nothing is the human format on stdout.
pub(super) fn parse(outputs: &[String]) -> Result<Vec<Output>, CliError> {
    let mut parsed = Vec::new();
    for output in outputs {
        let (name, file) = output.split_once('=').map_or((output.as_str(), None), |(name, file)| (name, Some(file)));
        let Some((_, format)) = Format::ALL.into_iter().find(|(known, _)| *known == name) else {
            let names = Format::ALL.map(|(name, _)| name);
            let near = crate::config::suggest(name, names.into_iter());
            let help = near.unwrap_or_else(|| format!("write one of {}", names.join(", ")));
            return Err(CliError::usage(format!("--output {name}: there is no such format"), help));
        };
        if file == Some("") {
            return Err(CliError::usage(format!("--output {output} lacks the file"), format!("write {name}=FILE")));
        }
        parsed.push(Output { format, file: file.map(PathBuf::from) });
    }
    if parsed.iter().filter(|output| output.file.is_none()).count() > 1 {
        let help = "send all but one of them to a file: --output sarif=kplan.sarif";
        return Err(CliError::usage("two outputs want to go to stdout", help));
    }
    if parsed.is_empty() {
        parsed.push(Output { format: Format::Human, file: None });
    }
    Ok(parsed)
}

/// Which outputs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// What people read on stdout, before they are asked.
    Question,
    /// All else, once it is done; people get the results alone.
    Results,
}

/// Writes a report to its outputs.
pub(super) fn write(options: &Options, report: &Report<'_>, part: Part) -> Result<(), CliError> {
    let is_question = |output: &Output| {
        output.file.is_none() && matches!(output.format, Format::Human | Format::Concise | Format::Markdown)
    };
    for output in &options.outputs {
        match part {
            Part::Question if !is_question(output) => continue,
            Part::Results if is_question(output) => {
                let mut out = BufWriter::new(io::stdout().lock());
                report::write_results(report, &mut out)?;
                out.flush()?;
                continue;
            }
            _ => {}
        }
        match &output.file {
            None => {
                let mut out = BufWriter::new(io::stdout().lock());
                report::write(output.format, report, &mut out, &style(options))?;
                out.flush()?;
            }
            Some(file) => to_file(file, |out| report::write(output.format, report, out, &Style::default()))?,
        }
    }
    Ok(())
}

/// The git repository of the working directory, or of the first path.
pub(super) fn root(paths: &[String]) -> Root {
    let Ok(here) = std::env::current_dir() else { return Root::default() };
    let of = |path: &Path| path.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned);
    let other = || paths.first().and_then(|path| of(&here.join(path)));
    of(&here).or_else(other).map(|folder| Root { folder, here }).unwrap_or_default()
}

/// Writes a file; the error names it.
pub(super) fn to_file(path: &PathBuf, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    let result = File::create(path).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()
    });
    result.map_err(|error| {
        let message = format!("cannot write {}: {}", path.display(), io_text(&error));
        CliError::new(ErrorKind::Usage, message, "name a file in a directory that exists and can be written")
    })
}

fn style(options: &Options) -> Style {
    let terminal = io::stdout().is_terminal();
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let width = || terminal_size::terminal_size().map(|(width, _)| width.0 as usize);
    Style {
        color: match options.color {
            Color::Auto => terminal && !plain,
            Color::Always => true,
            Color::Never => false,
        },
        width: if terminal { width() } else { None },
        time: terminal || options.verbose > 0,
        verbose: options.verbose,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_output_may_go_to_stdout() {
        let read = |texts: &[&str]| parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(read(&[]).unwrap().len(), 1);
        assert_eq!(read(&["json", "sarif=a=b"]).unwrap()[1].file, Some(PathBuf::from("a=b")));
        for wrong in [&["json", "sarif"][..], &["jsn"], &["json="]] {
            assert!(read(wrong).is_err());
        }
    }
}
