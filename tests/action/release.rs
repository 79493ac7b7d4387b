//! Releases as `.github/workflows/release.yml` packs them, on a server of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::github::{self, Job};
use crate::support;

/// The rows of the matrix that builds archives.
pub fn targets() -> Result<Vec<Value>, String> {
    let workflow = github::read(&support::root().join(".github/workflows/release.yml"))?;
    let rows = workflow["jobs"]["archives"]["strategy"]["matrix"]["include"].as_array().cloned();
    rows.ok_or("release.yml has no matrix".to_owned())
}

/// Packs a program into `folder` by the step of release.yml, for a row of its matrix.
pub fn pack(folder: &Path, program: &Path, row: &Value) -> Result<(), String> {
    let workflow = github::read(&support::root().join(".github/workflows/release.yml"))?;
    let steps = workflow["jobs"]["archives"]["steps"].as_array().ok_or("release.yml has no steps")?;
    let mut pack = steps.iter().find(|step| step["id"] == "pack").ok_or("release.yml packs nothing")?.clone();
    pack["shell"] = workflow["jobs"]["archives"]["defaults"]["run"]["shell"].clone();
    let target = row["target"].as_str().ok_or("a row without target")?;
    let built = folder.join("target").join(target).join("dist");
    let name = if target.contains("windows") { "kplan.exe" } else { "kplan" };
    fs::create_dir_all(&built).map_err(|error| error.to_string())?;
    fs::copy(program, built.join(name)).map_err(|error| error.to_string())?;
    fs::copy(support::root().join("LICENSE"), folder.join("LICENSE")).map_err(|error| error.to_string())?;
    let job = Job {
        workspace: folder.to_owned(),
        temp: folder.join("temp"),
        os: "Linux",
        arch: "X64",
        env: BTreeMap::from([("GITHUB_REF_NAME".to_owned(), format!("v{}", env!("CARGO_PKG_VERSION")))]),
        matrix: row.clone(),
    };
    let (done, _) = job.steps(&[pack], json!({"matrix": row, "steps": {}}), folder)?;
    if done.success { Ok(()) } else { Err(format!("packing: {}", done.log)) }
}

/// Serves a folder to whoever asks, until the tests end; gives its URL.
pub fn serve(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that went away is no failure of the server.
            let _ = stream.and_then(|stream| answer(stream, &folder));
        }
    });
    url
}

fn answer(mut stream: std::net::TcpStream, folder: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let (status, body) = match fs::read(folder.join(path)) {
        Ok(bytes) => ("200 OK", bytes),
        Err(_) => ("404 Not Found", b"Not Found".to_vec()),
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body)
}
