//! From a kubeconfig and a context's name to what the client needs.

use std::path::Path;

use hyper_util::client::proxy::matcher::Matcher;
use kube::Config;
use kube::config::{AuthInfo, Cluster, Context, ExecInteractiveMode, Kubeconfig, KubeconfigError};

use super::{ClusterError, Connect};
use crate::config::suggest;
use crate::yaml::base64;

/// Where a pod finds its own account.
const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";

/// A context, resolved.
pub(super) struct Target {
    pub context: String,
    pub server: String,
    pub namespace: Option<String>,
    pub config: Config,
}

pub(super) fn resolve(options: &Connect) -> Result<Target, ClusterError> {
    let Some((file, name)) = read(options)? else { return in_cluster() };
    let wanted = options.context.as_ref().or(file.current_context.as_ref()).filter(|context| !context.is_empty());
    let Some(wanted) = wanted else {
        let help = format!("name one with --context: {}", names(&file));
        return Err(ClusterError::new(format!("no context is chosen, and {name} has no current-context"), help));
    };
    let context = context(&file, &name, wanted)?;
    let cluster = file.clusters.iter().find(|cluster| cluster.name == context.cluster);
    let Some(cluster) = cluster.and_then(|cluster| cluster.cluster.clone()) else {
        let message = format!("context `{wanted}` is of cluster `{}`, which {name} does not have", context.cluster);
        return Err(ClusterError::new(message, "add the cluster to the kubeconfig"));
    };
    let user = context.user.as_deref().unwrap_or_default();
    let user = file.auth_infos.iter().find(|info| info.name == user).and_then(|info| info.auth_info.clone());
    let config = config(&cluster, user.unwrap_or_default(), options).map_err(|problem| {
        let help = format!("mend the cluster `{}` or its user in the kubeconfig", context.cluster);
        ClusterError::new(format!("context `{wanted}` of {name} cannot be used: {problem}"), help)
    })?;
    let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    Ok(Target { context: wanted.clone(), server, namespace: context.namespace, config })
}

/// The kubeconfig and what to call it; `None` where there is none, but the account of a pod.
fn read(options: &Connect) -> Result<Option<(Kubeconfig, String)>, ClusterError> {
    let help = "give one with --kubeconfig FILE, or set KUBECONFIG";
    let broken = |name: &str, error: &KubeconfigError| {
        ClusterError::new(format!("cannot read the kubeconfig {name}: {}", cause(error)), help)
    };
    if let Some(path) = &options.kubeconfig {
        let name = path.display().to_string();
        let file = Kubeconfig::read_from(path).map_err(|error| broken(&name, &error))?;
        return Ok(Some((file, name)));
    }
    let from_variable = std::env::var("KUBECONFIG").ok().filter(|value| !value.is_empty());
    if let Some(name) = from_variable {
        let file = Kubeconfig::from_env().map_err(|error| broken(&name, &error))?;
        return Ok(file.map(|file| (file, name)));
    }
    let home = std::env::home_dir().map(|home| home.join(".kube/config"));
    match home {
        Some(path) if path.exists() => {
            let name = path.display().to_string();
            let file = Kubeconfig::read_from(&path).map_err(|error| broken(&name, &error))?;
            Ok(Some((file, name)))
        }
        _ if options.context.is_none() && std::env::var_os(IN_CLUSTER).is_some() => Ok(None),
        _ => Err(ClusterError::new("there is no kubeconfig", help)),
    }
}

fn context(file: &Kubeconfig, name: &str, wanted: &str) -> Result<Context, ClusterError> {
    let found = file.contexts.iter().find(|context| context.name == wanted);
    found.and_then(|context| context.context.clone()).ok_or_else(|| {
        let near = suggest(wanted, file.contexts.iter().map(|context| context.name.as_str()));
        let help = near.unwrap_or_else(|| "choose one of them with --context".to_owned());
        ClusterError::new(format!("context `{wanted}` is not in the kubeconfig ({name} has: {})", names(file)), help)
    })
}

fn names(file: &Kubeconfig) -> String {
    let names: Vec<&str> = file.contexts.iter().map(|context| context.name.as_str()).collect();
    if names.is_empty() { "no contexts".to_owned() } else { names.join(", ") }
}

/// The innermost cause.
fn cause(error: &KubeconfigError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    first_line(&text)
}

/// The first line of a message, without the system's number; parsers go on with drawings of the place.
pub(super) fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.split(" (os error").next().unwrap_or_default().replace("error: ", "")
}

fn in_cluster() -> Result<Target, ClusterError> {
    let config = Config::incluster().map_err(|error| {
        let help = "give a kubeconfig with --kubeconfig FILE, or mount the ServiceAccount's token";
        ClusterError::new(format!("this pod has no account: {error}"), help)
    })?;
    let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let namespace = Some(config.default_namespace.clone());
    Ok(Target { context: "in-cluster".to_owned(), server, namespace, config })
}

fn config(cluster: &Cluster, mut user: AuthInfo, options: &Connect) -> Result<Config, String> {
    let server = cluster.server.clone().filter(|server| !server.is_empty()).ok_or("it has no `server`")?;
    let url: http::Uri = server.parse().map_err(|error| format!("server `{server}`: {error}"))?;
    if url.scheme().is_none() || url.host().is_none() {
        return Err(format!("server `{server}` is no URL: write it as https://HOST:PORT"));
    }
    if let Some(exec) = &mut user.exec {
        if exec.provide_cluster_info {
            exec.cluster = Some(cluster.try_into().map_err(|error| format!("{error}"))?);
        }
        if !options.interactive {
            exec.interactive_mode = Some(ExecInteractiveMode::Never);
        }
    }
    let mut config = Config::new(url);
    config.proxy_url = proxy(cluster, &config.cluster_url)?;
    config.root_cert = authorities(cluster)?;
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    config.tls_server_name.clone_from(&cluster.tls_server_name);
    config.connect_timeout = Some(options.timeout);
    config.auth_info = user;
    config.default_retry = false;
    Ok(config)
}

/// The proxy of the kubeconfig, else that of the environment, unless `NO_PROXY` names the server. Computed here since
/// kube 5.0.0 holds `NO_PROXY` against the proxy's own address and refuses to start on a malformed one.
fn proxy(cluster: &Cluster, server: &http::Uri) -> Result<Option<http::Uri>, String> {
    if let Some(proxy) = cluster.proxy_url.as_deref().filter(|proxy| !proxy.is_empty()) {
        return proxy.parse().map(Some).map_err(|error| format!("proxy-url `{proxy}`: {error}"));
    }
    let variable = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        found.unwrap_or_default()
    };
    let proxy = variable(["HTTPS_PROXY", "https_proxy"]);
    if proxy.is_empty() {
        return Ok(None);
    }
    let matcher = Matcher::builder().all(proxy.clone()).no(variable(["NO_PROXY", "no_proxy"])).build();
    if matcher.intercept(server).is_none() {
        return Ok(None);
    }
    proxy.parse().map(Some).map_err(|error| format!("HTTPS_PROXY `{proxy}`: {error}"))
}

/// The certificates that the server's may be signed with; `None` for those of the system.
fn authorities(cluster: &Cluster) -> Result<Option<Vec<Vec<u8>>>, String> {
    let pem = if let Some(data) = cluster.certificate_authority_data.as_deref().filter(|data| !data.is_empty()) {
        let compact: String = data.split_whitespace().collect();
        base64::decode(compact.as_bytes()).map_err(|_| "certificate-authority-data is no base64")?
    } else if let Some(file) = cluster.certificate_authority.as_deref().filter(|file| !file.is_empty()) {
        std::fs::read(Path::new(file)).map_err(|error| format!("certificate-authority {file}: {error}"))?
    } else {
        return Ok(None);
    };
    let blocks = pem::parse_many(pem).map_err(|error| format!("the certificate authority is no PEM: {error}"))?;
    let certificates = blocks.into_iter().filter(|block| block.tag() == "CERTIFICATE");
    let certificates: Vec<Vec<u8>> = certificates.map(pem::Pem::into_contents).collect();
    if certificates.is_empty() {
        return Err("the certificate authority holds no certificate".to_owned());
    }
    Ok(Some(certificates))
}
