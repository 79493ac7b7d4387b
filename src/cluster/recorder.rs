//! A transport for tests: answers from a table, and keeps what was asked.

use std::sync::Mutex;

use super::{ClusterError, Request, Response, Transport};

/// What is answered to one request.
pub(super) type Answer = Result<Response, ClusterError>;

/// Answers from a function and remembers every request.
pub(super) struct Recorder<F: Fn(&Request, usize) -> Answer + Send + Sync> {
    /// Gets the request and how often its path was asked for before.
    answer: F,
    requests: Mutex<Vec<Request>>,
}

impl<F: Fn(&Request, usize) -> Answer + Send + Sync> Recorder<F> {
    pub(super) fn new(answer: F) -> Recorder<F> {
        Recorder { answer, requests: Mutex::default() }
    }

    /// `GET /api`, in the order of their sending.
    pub(super) fn lines(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|request| format!("{} {}", request.method.name(), request.path)).collect()
    }
}

impl<F: Fn(&Request, usize) -> Answer + Send + Sync> Transport for Recorder<F> {
    fn send(&self, request: &Request) -> Answer {
        let mut requests = self.requests.lock().unwrap();
        let before = requests.iter().filter(|known| known.path == request.path).count();
        requests.push(request.clone());
        drop(requests);
        (self.answer)(request, before)
    }
}

/// An answer with a body.
pub(super) fn reply(status: u16, body: &str) -> Answer {
    Ok(Response { status, body: body.to_owned(), ..Response::default() })
}
