//! Results of renderers, kept by all that they come from: program, arguments, and the bytes of every file.

use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

/// So many results are kept; the oldest go first.
const KEPT: usize = 200;

/// Everything that a result depends on.
pub(super) struct Key([DefaultHasher; 2]);

impl Key {
    pub(super) fn new(program: &str) -> Key {
        let mut key = Key([DefaultHasher::new(), DefaultHasher::new()]);
        // Two hashes that start apart are one of twice the length.
        key.0[1].write(b"second");
        key.add(env!("CARGO_PKG_VERSION").as_bytes());
        key.add(program.as_bytes());
        key
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        for hasher in &mut self.0 {
            hasher.write_usize(bytes.len());
            hasher.write(bytes);
        }
    }

    /// A file by its name and content; one that cannot be read counts as such.
    pub(super) fn add_file(&mut self, name: &str, path: &Path) {
        self.add(name.as_bytes());
        match std::fs::read(path) {
            Ok(bytes) => self.add(&bytes),
            Err(error) => self.add(error.to_string().as_bytes()),
        }
    }

    fn path(&self) -> Option<PathBuf> {
        let [first, second] = &self.0;
        Some(folder()?.join(format!("{:016x}{:016x}.yaml", first.finish(), second.finish())))
    }

    pub(super) fn read(&self) -> Option<String> {
        std::fs::read_to_string(self.path()?).ok()
    }

    /// Keeps a result; where that fails it is made again.
    pub(super) fn write(&self, text: &str) {
        let Some(path) = self.path() else { return };
        let Some(folder) = path.parent() else { return };
        if make_private(folder).is_err() {
            return;
        }
        prune(folder);
        // Written beside and moved, so that another run never reads half of it.
        let beside = path.with_extension(format!("{}.tmp", std::process::id()));
        let _ = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &path));
    }
}

/// `KPLAN_CACHE_DIR` (nothing is kept where that is empty), else the user's folder for such things.
fn folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if std::env::var_os("KPLAN_CACHE_DIR").is_some() {
        return variable("KPLAN_CACHE_DIR").map(|folder| folder.join("render"));
    }
    let own = if cfg!(windows) { variable("LOCALAPPDATA") } else { variable("XDG_CACHE_HOME") };
    own.or_else(|| variable("HOME").map(|home| home.join(".cache"))).map(|cache| cache.join("kplan/render"))
}

/// Rendered Secrets are nobody else's to read.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

fn prune(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut files: Vec<_> =
        entries.flatten().filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect();
    files.sort();
    for (_, path) in files.iter().take(files.len().saturating_sub(KEPT)) {
        let _ = std::fs::remove_file(path);
    }
}
