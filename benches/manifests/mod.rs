//! Manifests of any size for benches, of the shapes that people write.
// Every bench compiles this on its own and uses a part of it.
#![allow(dead_code)]

use std::fmt::Write as _;
use std::path::PathBuf;

/// A folder for generated files.
pub fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&path).expect("the folder for temporary files can be made");
    path
}

/// Deployment, Service and ConfigMap of one application: 2 KB, a comment and a quoted number included.
pub fn application(number: usize, replicas: usize) -> String {
    let mut text = String::new();
    let _ = write!(
        text,
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{number}\n  namespace: shop\n  labels:\n    app: app-{number}\n    \
         team: checkout\n  annotations:\n    example.com/owner: \"team-{number}@example.com\"\nspec:\n  replicas: {replicas}\n  selector:\n    \
         matchLabels:\n      app: app-{number}\n  template:\n    metadata:\n      labels:\n        app: app-{number}\n        team: checkout\n    \
         spec:\n      securityContext:\n        runAsNonRoot: true\n        runAsUser: 1000\n      containers:\n        - name: app\n          \
         image: registry.example.com/shop/app-{number}:1.{number}.0\n          ports:\n            - name: http\n              containerPort: 8080\n          \
         env:\n            - name: LOG_LEVEL\n              value: info\n            - name: WORKERS\n              value: \"4\"\n            \
         - name: GREETING\n              valueFrom:\n                configMapKeyRef:\n                  name: app-{number}\n                  key: greeting\n          \
         # Measured under load.\n          resources:\n            requests:\n              cpu: 100m\n              memory: 128Mi\n            \
         limits:\n              memory: 256Mi\n          readinessProbe:\n            httpGet:\n              path: /ready\n              port: http\n            \
         periodSeconds: 5\n          volumeMounts:\n            - name: settings\n              mountPath: /etc/settings\n      volumes:\n        \
         - name: settings\n          configMap:\n            name: app-{number}\n---\napiVersion: v1\nkind: Service\nmetadata:\n  name: app-{number}\n  \
         namespace: shop\nspec:\n  selector:\n    app: app-{number}\n  ports:\n    - name: http\n      port: 80\n      targetPort: http\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app-{number}\n  namespace: shop\ndata:\n  greeting: hello\n  app.properties: |\n    \
         cache.size=100\n    cache.ttl=60s\n    feature.a=true\n"
    );
    text
}

/// Applications up to this many bytes, as one stream.
pub fn stream(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 4096);
    for number in 0.. {
        if text.len() >= bytes {
            break;
        }
        text.push_str(&application(number, 3));
        text.push_str("---\n");
    }
    text
}

/// `count` nodes of 16 cpu and 64Gi in three zones.
pub fn nodes(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let _ = write!(
            text,
            "apiVersion: v1\nkind: Node\nmetadata:\n  name: node-{number}\n  labels:\n    kubernetes.io/hostname: node-{number}\n    \
             topology.kubernetes.io/zone: zone-{}\nstatus:\n  allocatable:\n    cpu: \"16\"\n    memory: 64Gi\n    pods: \"110\"\n---\n",
            number % 3
        );
    }
    text
}
