//! Requests with a bounded number of tries, several at a time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::dry_run::GONE_VERSION;
use super::{ClusterError, Request, Response, Transport, status_of};

/// Requests that are under way at once.
const PARALLEL: usize = 8;
/// Tries of one request, the first included.
const TRIES: u32 = 4;
/// Pause before the second try; each further one is three times as long.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest that a server may ask us to wait before the next try.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A transport with kplan's own retry policy: all its requests can be sent again, since reading, dry runs and
/// server-side apply do the same the second time.
pub struct Client<'a> {
    transport: &'a dyn Transport,
    /// No further try begins after this time.
    budget: Duration,
    pause: Duration,
}

impl<'a> Client<'a> {
    /// `budget` bounds the time in which a request is tried again.
    pub fn new(transport: &'a dyn Transport, budget: Duration) -> Client<'a> {
        Client { transport, budget, pause: PAUSE }
    }

    #[cfg(test)]
    pub(super) fn without_pauses(transport: &'a dyn Transport) -> Client<'a> {
        Client { transport, budget: Duration::from_secs(1), pause: Duration::ZERO }
    }

    /// Sends a request; a server that is busy or broken is asked again.
    ///
    /// # Errors
    /// There is no answer, or the last of the tries still met a busy or broken server. An answer of 401 is an error
    /// too: nothing that follows could succeed.
    pub fn send(&self, request: &Request) -> Result<Response, ClusterError> {
        let start = Instant::now();
        let mut pause = self.pause;
        for attempt in 1.. {
            let result = self.transport.send(request);
            let wait = match &result {
                Ok(response) if is_passing(response) => response.retry_after.map(Duration::from_secs),
                Err(error) if error.is_passing => None,
                Ok(response) if response.status == 401 => return Err(unauthorized()),
                _ => return result,
            };
            if attempt == TRIES || start.elapsed() >= self.budget {
                return result.and_then(|response| exhausted(request, response, attempt));
            }
            std::thread::sleep(wait.unwrap_or(pause).min(LONGEST_PAUSE));
            pause *= 3;
        }
        unreachable!("the last try returns")
    }
}

/// 429 and the 5xx of a server that is overloaded or starting. A 500 that blames the object or a webhook will be the
/// same again.
fn is_passing(response: &Response) -> bool {
    const LASTING: [&str; 3] = ["failed to create typed patch object", "failed calling webhook", GONE_VERSION];
    match response.status {
        500 => !LASTING.iter().any(|words| response.body.contains(words)),
        status => matches!(status, 429 | 502 | 503 | 504),
    }
}

/// What fails for one object only is an answer; a busy server is none.
fn exhausted(request: &Request, response: Response, tries: u32) -> Result<Response, ClusterError> {
    if response.status == 500 {
        return Ok(response);
    }
    let status = status_of(&response);
    let path = request.path.split('?').next().unwrap_or_default();
    let what = format!("{} {path}", request.method.name());
    let message = format!("the API server answered {} to {what}, {tries} times: {}", response.status, status.message);
    let help = match response.status {
        429 => "it is overloaded, or limits this user's requests: try again later",
        _ => "what answers there is not ready: see `kubectl get --raw /readyz` and `kubectl get apiservices`",
    };
    Err(ClusterError::new(message, help))
}

fn unauthorized() -> ClusterError {
    ClusterError::new(
        "the API server does not accept the credentials (401 Unauthorized)",
        "the token or certificate has expired or is wrong: log in again, or choose another with --context",
    )
}

/// Does something for each of many items, eight at a time; results are in the order of the items.
pub fn parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL.min(items.len()) {
            scope.spawn(|| {
                while let (index, Some(item)) = advance(&next, items) {
                    let result = work(item);
                    if let Ok(mut slot) = results[index].lock() {
                        *slot = Some(result);
                    }
                }
            });
        }
    });
    results.into_iter().filter_map(|slot| slot.into_inner().ok().flatten()).collect()
}

fn advance<'a, T>(next: &AtomicUsize, items: &'a [T]) -> (usize, Option<&'a T>) {
    let index = next.fetch_add(1, Ordering::Relaxed);
    (index, items.get(index))
}
