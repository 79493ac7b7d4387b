//! A proxy between kplan and the API server that notes every request and can answer in the server's place.
//!
//! kplan speaks plain HTTP/1.1 to it; the way on is `kubectl proxy`, which adds the administrator's rights.
// Test programs use a part of it.
#![allow(dead_code)]

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

use crate::plane::Plane;

/// A request as it came, and the status that it was answered with.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// What follows the question mark, or nothing.
    pub query: String,
    /// Names in lower case.
    pub headers: Headers,
    pub body: Vec<u8>,
    /// From the proxy's start.
    pub at: Duration,
    /// None where no status was sent (yet).
    pub status: Option<u16>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// `METHOD PATH?QUERY -> STATUS`, for messages.
    pub fn shown(&self) -> String {
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
        let status = self.status.map_or("nothing".to_owned(), |status| status.to_string());
        format!("{} {}{query} -> {status}", self.method, self.path)
    }
}

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The server answers.
    Pass,
    /// This answer, without asking the server.
    Status { code: u16, headers: Headers, body: String },
    /// No answer, and the connection stays open until the client closes it or the proxy ends.
    Hang,
    /// No answer, and the connection is closed.
    Drop,
    /// The server's answer, head included, ends after so many bytes, and the connection is closed.
    Cut(usize),
}

impl Fault {
    /// The API server's own kind of answer: a Status object.
    pub fn status(code: u16, reason: &str, message: &str, headers: &[(&str, &str)]) -> Self {
        let status = serde_json::json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code,
        });
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::Status { code, headers, body: status.to_string() }
    }
}

/// Names and values of headers.
pub type Headers = Vec<(String, String)>;

type Judge = dyn Fn(&Request) -> Fault + Send + Sync;

/// A running proxy; its connections end when it is dropped.
pub struct Proxy {
    kubeconfig: PathBuf,
    inner: Arc<Inner>,
}

struct Inner {
    address: SocketAddr,
    upstream: String,
    judge: Box<Judge>,
    start: Instant,
    requests: Mutex<Vec<Request>>,
    connections: Mutex<Vec<TcpStream>>,
    ended: AtomicBool,
}

impl Proxy {
    /// A proxy to a cluster. `judge` is asked about each request, from many threads at once.
    pub fn start(plane: &Plane, judge: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> Result<Self, Failed> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let inner = Arc::new(Inner {
            address: listener.local_addr()?,
            upstream: plane.plain()?.to_owned(),
            judge: Box::new(judge),
            start: Instant::now(),
            requests: Mutex::default(),
            connections: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let kubeconfig = plane.scratch.join(format!("kubeconfig-{}", inner.address.port()));
        fs::write(&kubeconfig, config(inner.address))?;
        let accepting = inner.clone();
        thread::spawn(move || accept(&accepting, &listener));
        Ok(Self { kubeconfig, inner })
    }

    /// The path of a kubeconfig whose server is this proxy; its context is `kplan-test`.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// All requests so far, in the order of coming.
    pub fn requests(&self) -> Vec<Request> {
        self.inner.requests.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.inner.ended.store(true, Ordering::Relaxed);
        // The thread that waits for connections sees it at the next one.
        drop(TcpStream::connect(self.inner.address));
        for connection in self.inner.connections.lock().unwrap().drain(..) {
            // It may be closed already.
            connection.shutdown(Shutdown::Both).ok();
        }
    }
}

fn config(address: SocketAddr) -> String {
    let cluster = format!("clusters:\n- name: proxy\n  cluster:\n    server: http://{address}\n");
    let context = "contexts:\n- name: kplan-test\n  context:\n    cluster: proxy\n    user: nobody\n";
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: kplan-test\n{cluster}users:\n- name: nobody\n  user: {{}}\n{context}"
    )
}

fn accept(inner: &Arc<Inner>, listener: &TcpListener) {
    for connection in listener.incoming() {
        if inner.ended.load(Ordering::Relaxed) {
            return;
        }
        let Ok(connection) = connection else { continue };
        inner.connections.lock().unwrap().extend(connection.try_clone());
        let inner = inner.clone();
        thread::spawn(move || {
            // An error is a side that closed its connection, which ends this one.
            serve(&inner, &connection).ok();
            connection.shutdown(Shutdown::Both).ok();
        });
    }
}

/// Answers the requests of one connection, until it closes.
fn serve(inner: &Inner, client: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    while let Some(request) = read_request(&mut reader, inner.start)? {
        let number = {
            let mut requests = inner.requests.lock().unwrap();
            requests.push(request.clone());
            requests.len() - 1
        };
        let note = |status| inner.requests.lock().unwrap()[number].status = Some(status);
        match (inner.judge)(&request) {
            Fault::Pass => pass(&inner.upstream, &request, note, &mut &*client)?,
            Fault::Status { code, headers, body } => {
                note(code);
                answer(&mut &*client, code, &headers, &body)?;
            }
            Fault::Hang => {
                // Nothing more comes from a client that waits, but its end.
                io::copy(&mut reader, &mut io::sink())?;
            }
            Fault::Drop => return Ok(()),
            Fault::Cut(most) => {
                pass(&inner.upstream, &request, note, &mut Limited { client, left: most })?;
                return Ok(());
            }
        }
    }
    Ok(())
}

fn answer(client: &mut impl Write, code: u16, headers: &[(String, String)], body: &str) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {code} Injected\r\ncontent-length: {}\r\n", body.len());
    if header(headers, "content-type").is_none() {
        head.push_str("content-type: application/json\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    client.write_all(format!("{head}\r\n{body}").as_bytes())
}

/// Sends a request on, over a connection of its own, and the answer back as it comes.
pub fn pass(upstream: &str, request: &Request, note: impl FnOnce(u16), client: &mut impl Write) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream)?;
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let mut head = format!("{} {}{query} HTTP/1.1\r\n", request.method, request.path);
    for (name, value) in request.headers.iter().filter(|(name, _)| !is_of_one_hop(name)) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", request.body.len()));
    server.write_all(head.as_bytes())?;
    server.write_all(&request.body)?;

    let mut reader = BufReader::new(server);
    let (first, headers) = read_head(&mut reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    note(status);
    let mut head = format!("{first}\r\n");
    for (name, value) in headers.iter().filter(|(name, _)| !is_of_one_hop(name)) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let has_body = request.method != "HEAD" && status != 204 && status != 304;
    let length = header(&headers, "content-length").and_then(|length| length.parse::<u64>().ok());
    match length {
        Some(length) => head.push_str(&format!("content-length: {length}\r\n\r\n")),
        None if has_body => head.push_str("transfer-encoding: chunked\r\n\r\n"),
        None => head.push_str("\r\n"),
    }
    client.write_all(head.as_bytes())?;
    match length {
        _ if !has_body => Ok(()),
        Some(length) => io::copy(&mut reader.take(length), client).map(drop),
        None if header(&headers, "transfer-encoding").is_some() => stream(&mut Chunked::new(&mut reader), client),
        None => stream(&mut reader, client),
    }
}

/// Passes on what comes when it comes, a chunk each time: watches never end.
fn stream(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return to.write_all(b"0\r\n\r\n");
        }
        let mut chunk = format!("{count:x}\r\n").into_bytes();
        chunk.extend(&buffer[..count]);
        chunk.extend(b"\r\n");
        to.write_all(&chunk)?;
    }
}

fn is_of_one_hop(name: &str) -> bool {
    ["connection", "content-length", "keep-alive", "transfer-encoding"].contains(&name)
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// The next request of a connection; none where it ends.
fn read_request(reader: &mut impl BufRead, start: Instant) -> io::Result<Option<Request>> {
    let Some((first, headers)) = read_head(reader)? else { return Ok(None) };
    let mut parts = first.split(' ');
    let method = parts.next().unwrap_or_default().to_owned();
    let target = parts.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut body = Vec::new();
    if header(&headers, "transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        Chunked::new(reader).read_to_end(&mut body)?;
    } else if let Some(length) = header(&headers, "content-length").and_then(|length| length.parse().ok()) {
        reader.take(length).read_to_end(&mut body)?;
    }
    let (path, query) = (path.to_owned(), query.to_owned());
    Ok(Some(Request { method, path, query, headers, body, at: start.elapsed(), status: None }))
}

/// The first line and the headers of a message, names in lower case.
pub fn read_head(reader: &mut impl BufRead) -> io::Result<Option<(String, Headers)>> {
    let first = read_line(reader)?;
    if first.is_empty() {
        return Ok(None);
    }
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(Some((first, headers)));
        }
        let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

/// The bytes inside a chunked body; leaves the reader at its end.
pub struct Chunked<'a, R> {
    reader: &'a mut R,
    left: u64,
    ended: bool,
}

impl<'a, R: BufRead> Chunked<'a, R> {
    pub fn new(reader: &'a mut R) -> Self {
        Self { reader, left: 0, ended: false }
    }
}

impl<R: BufRead> Read for Chunked<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.ended {
            let size = read_line(self.reader)?;
            let size = size.split(';').next().unwrap_or_default();
            self.left = u64::from_str_radix(size, 16).map_err(|_| io::ErrorKind::UnexpectedEof)?;
            if self.left == 0 {
                // Trailers, and the empty line.
                while !read_line(self.reader)?.is_empty() {}
                self.ended = true;
            }
        }
        if self.ended {
            return Ok(0);
        }
        let count = self.reader.take(self.left).read(buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        if self.left == 0 {
            read_line(self.reader)?;
        }
        Ok(count)
    }
}

/// Writes no more than a number of bytes, then fails.
struct Limited<'a> {
    client: &'a TcpStream,
    left: usize,
}

impl Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let count = bytes.len().min(self.left);
        let count = self.client.write(&bytes[..count])?;
        self.left -= count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
