//! The real way to an API server: the one place that is async and knows the `kube` crate.

use std::error::Error as _;
use std::sync::mpsc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use kube::client::{Body, ClientBuilder};
use tokio::runtime::Runtime;

use super::kubeconfig::{self, Target, first_line};
use super::{ClusterError, Connect, Connection, Request, Response, Transport};

/// How long an exec plugin may take where nobody can answer it, and where somebody can.
const EXEC_ALONE: Duration = Duration::from_secs(20);
const EXEC_WITH_PERSON: Duration = Duration::from_secs(300);

struct Kube {
    runtime: Runtime,
    client: kube::Client,
    server: String,
    timeout: Duration,
}

pub(super) fn connect(options: &Connect) -> Result<Connection, ClusterError> {
    let target = kubeconfig::resolve(options)?;
    let (context, server, namespace) = (target.context.clone(), target.server.clone(), target.namespace.clone());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| ClusterError::new(format!("cannot start the client: {error}"), "free some memory"))?;
    let client = build(&runtime, target, options)?;
    let transport = Box::new(Kube { runtime, client, server: server.clone(), timeout: options.timeout });
    Ok(Connection { context, server, namespace, transport })
}

/// Makes the client. That runs the exec plugin of the user, which may never come back: so in a thread of its own.
fn build(runtime: &Runtime, target: Target, options: &Connect) -> Result<kube::Client, ClusterError> {
    let limit = if options.interactive { EXEC_WITH_PERSON } else { EXEC_ALONE };
    let plugin = target.config.auth_info.exec.as_ref().and_then(|exec| exec.command.clone());
    let (sender, receiver) = mpsc::channel();
    let handle = runtime.handle().clone();
    std::thread::spawn(move || {
        let _inside = handle.enter();
        let _ = sender.send(ClientBuilder::try_from(target.config).map(ClientBuilder::build));
    });
    match receiver.recv_timeout(limit) {
        Ok(result) => result.map_err(|error| credentials(&error, plugin.as_deref())),
        Err(_) => {
            let name = plugin.unwrap_or_default();
            let seconds = limit.as_secs();
            let message = format!("the credential plugin `{name}` of the kubeconfig gave no answer in {seconds} s");
            Err(ClusterError::new(message, "run it by hand to see what it waits for; log in before kplan runs"))
        }
    }
}

fn credentials(error: &kube::Error, plugin: Option<&str>) -> ClusterError {
    let text = chain(error);
    match plugin {
        Some(name) => {
            let help = format!("run `{name}` by hand; it must print an ExecCredential");
            ClusterError::new(format!("the credential plugin `{name}` of the kubeconfig failed: {text}"), help)
        }
        None => ClusterError::new(
            format!("the kubeconfig cannot be used: {text}"),
            "check the certificates and tokens that it names",
        ),
    }
}

impl Transport for Kube {
    fn send(&self, request: &Request) -> Result<Response, ClusterError> {
        let exchange = async { tokio::time::timeout(self.timeout, self.exchange(request)).await };
        self.runtime.block_on(exchange).unwrap_or_else(|_| {
            let seconds = self.timeout.as_secs();
            let message = format!("{} gave no answer in {seconds} s", self.server);
            let help = "check that the server is up; --request-timeout gives it more time";
            Err(ClusterError { is_passing: true, ..ClusterError::new(message, help) })
        })
    }
}

impl Kube {
    async fn exchange(&self, request: &Request) -> Result<Response, ClusterError> {
        let mut builder = http::Request::builder().method(request.method.name()).uri(&request.path);
        builder = builder.header(http::header::ACCEPT, request.accept.unwrap_or("application/json"));
        builder = builder.header(http::header::USER_AGENT, concat!("kplan/", env!("CARGO_PKG_VERSION")));
        if let Some(content_type) = request.content_type {
            builder = builder.header(http::header::CONTENT_TYPE, content_type);
        }
        let request = builder
            .body(Body::from(request.body.clone()))
            .map_err(|error| ClusterError::new(format!("cannot ask for {}: {error}", request.path), "mend the name"))?;
        let response = self.client.send(request).await.map_err(|error| self.failure(&error))?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| self.failure(&error))?.to_bytes();
        let header = |name: &http::HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
        Ok(Response {
            status: head.status.as_u16(),
            body: String::from_utf8_lossy(&body).into_owned(),
            warnings: head.headers.get_all(http::header::WARNING).iter().filter_map(warning).collect(),
            retry_after: header(&http::header::RETRY_AFTER).and_then(|value| value.parse().ok()),
        })
    }

    /// Says why there is no answer: certificates, names, refused connections, broken ones.
    fn failure(&self, error: &kube::Error) -> ClusterError {
        let text = chain(error);
        let server = &self.server;
        let certificate = ["certificate", "UnknownIssuer", "CaUsedAsEndEntity", "NotValidForName"];
        if certificate.iter().any(|word| text.contains(word)) {
            let help = "the kubeconfig's certificate-authority-data must be that of this cluster; fetch it anew";
            return ClusterError::new(format!("{server} is not trusted: {text}"), help);
        }
        if matches!(error, kube::Error::Auth(_)) {
            return credentials(error, None);
        }
        let help =
            "check that the cluster runs and that its address in the kubeconfig is right (`kubectl cluster-info`)";
        let message = format!("cannot reach {server}: {text}");
        ClusterError { is_passing: true, ..ClusterError::new(message, help) }
    }
}

/// The innermost cause says most; what the outer ones repeat is left out.
fn chain(error: &kube::Error) -> String {
    let mut source = error.source();
    let mut text = error.to_string();
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    first_line(&text)
}

/// The text of `299 - "text"` (RFC 7234 §5.5).
fn warning(value: &http::HeaderValue) -> Option<String> {
    let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
    let quoted = text.split_once('"')?.1;
    let end = quoted.rfind('"')?;
    Some(quoted.get(..end)?.replace("\\\"", "\"").replace("\\\\", "\\"))
}
