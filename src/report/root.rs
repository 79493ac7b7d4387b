//! Paths as a repository has them, for the formats that others read from its root.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

/// The repository that a run is about, and where the run stands; the default leaves paths as they are given.
#[derive(Clone, Debug, Default)]
pub struct Root {
    /// Absolute.
    pub folder: PathBuf,
    /// Absolute: the working directory.
    pub here: PathBuf,
}

impl Root {
    /// A file from the root of the repository, with `/` between its parts; as it is given where it lies elsewhere.
    pub(super) fn path<'p>(&self, file: &'p str) -> Cow<'p, str> {
        let whole = normal(&self.here.join(file));
        let inner = whole.strip_prefix(&self.folder).ok().filter(|_| self.folder.is_absolute() && file != "-");
        match inner {
            Some(inner) => {
                let parts = inner.components().map(|part| part.as_os_str().to_string_lossy());
                Cow::Owned(parts.collect::<Vec<_>>().join("/"))
            }
            None => Cow::Borrowed(file),
        }
    }
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::Root;

    #[test]
    fn files_are_named_from_the_root_of_the_repository() {
        let root = Root { folder: "/src/repo".into(), here: "/src/repo/deploy/prod".into() };
        let cases = [
            ("web.yaml", "deploy/prod/web.yaml"),
            ("./web.yaml", "deploy/prod/web.yaml"),
            ("../base/a.yaml", "deploy/base/a.yaml"),
            ("/src/repo/x.yaml", "x.yaml"),
            ("/src/other/x.yaml", "/src/other/x.yaml"),
            ("../../../x.yaml", "../../../x.yaml"),
            ("-", "-"),
        ];
        for (file, expected) in cases {
            assert_eq!(root.path(file), expected);
        }
        assert_eq!(Root::default().path("../x.yaml"), "../x.yaml");
    }
}
