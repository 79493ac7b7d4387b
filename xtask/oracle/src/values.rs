//! Values to put into fields: some that fit, many that do not.

use kplan::schema::{Field, Schema, Shape, Type};
use serde_json::{Map, Value, json};

use crate::random::Random;

/// Strings that some format refuses, and some that most take.
const STRINGS: &[&str] = &[
    "",
    "a",
    "A",
    "web",
    "Web_1",
    "a_b",
    " x",
    "x ",
    "a b",
    "a..b",
    "-a",
    "a-",
    ".a",
    "a.",
    "a.b",
    "a/b",
    "a/b/c",
    "/a",
    "/",
    "..",
    ".",
    "../x",
    "a/../b",
    "/abs/path",
    "a:b",
    "0",
    "1",
    "80",
    "-1",
    "1.5",
    "0x10",
    "true",
    "None",
    "none",
    "*",
    "%",
    "50%",
    "-5%",
    "150%",
    "100%",
    "5 %",
    "$(X)",
    "$(",
    "ünï",
    "a\tb",
    "a\nb",
    "a\"b",
    "a\\b",
    "<a&b>",
    "example.com",
    "example.com/a",
    "Example.com/a",
    "example.com/",
    "/name",
    "kubernetes.io/os",
    "a=b",
    "a,b",
    "@",
    "10.0.0.1",
    "010.0.0.1",
    "10.0.0.256",
    "::1",
    "fe80::1",
    "2001:db8::/32",
    "10.0.0.0/8",
    "10.0.0.1/8",
    "10.0.0.0/33",
    "1.2.3",
    "http://x",
    "https://example.com/x",
    "0-3",
    "3-1",
    "0,0",
    "1m",
    "1Gi",
    "1.5Gi",
    "0.5m",
    "1e3",
    "1E",
    "-1Gi",
    "1 Gi",
    "2006-01-02T15:04:05Z",
    "@daily",
    "* * * * *",
    "61 * * * *",
    "TZ=UTC * * * * *",
    "Europe/Berlin",
    "Nowhere/X",
    "cpu",
    "memory",
    "pods",
    "requests.cpu",
    "hugepages-2Mi",
    "example.com/gpu",
    "aGk=",
    "aGk",
    "DoesNotExist",
    "Foo",
];

const LONG: [usize; 6] = [16, 53, 64, 254, 300, 1025];

const NUMBERS: &[i64] = &[
    0,
    1,
    -1,
    2,
    5,
    10,
    15,
    16,
    59,
    60,
    64,
    80,
    100,
    101,
    256,
    420,
    511,
    512,
    1000,
    1023,
    1024,
    3600,
    32767,
    32768,
    65535,
    65536,
    86400,
    86401,
    100_000,
    1_000_001,
    2_147_483_647,
    -2_147_483_648,
    2_147_483_648,
    4_294_967_296,
    9_007_199_254_740_993,
];

const QUANTITIES: &[&str] = &[
    "0",
    "1",
    "100m",
    "1500m",
    "1Gi",
    "64Mi",
    "2",
    "-1",
    "1.5",
    "0.1",
    "1m",
    "1u",
    "1e3",
    "12E",
    "1Ei",
    "",
    "abc",
    "1 Gi",
    "1gi",
    "500M",
    "0.5",
    "9223372036854775808",
    "+1",
    "1k",
    "1K",
];

/// Good values by the name of the field.
const NAMED: &[(&str, &[&str])] = &[
    ("name", &["web", "side", "config", "data", "http", "cpu", "x-1"]),
    ("key", &["app", "zone", "example.com/k", "a.conf", "level"]),
    ("operator", &["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Equal"]),
    ("effect", &["NoSchedule", "NoExecute", "PreferNoSchedule"]),
    ("type", &["RuntimeDefault", "Localhost", "Unconfined", "Resource", "Utilization", "RollingUpdate", "OnDelete"]),
    ("mountPath", &["/etc/app", "/data", "relative", "/a:b"]),
    ("path", &["/", "/x", "a/b", "../a", "token"]),
    ("ip", &["10.0.0.1", "192.0.2.1", "::1", "127.0.0.1", "169.254.0.1"]),
    ("cidr", &["10.0.0.0/8", "2001:db8::/32", "10.0.0.1/8"]),
    (
        "fieldPath",
        &[
            "metadata.name",
            "metadata.labels['a']",
            "metadata.annotations['x/y']",
            "status.podIP",
            "spec.x",
            "metadata.uid",
            "status.hostIPs",
        ],
    ),
    ("resource", &["limits.cpu", "requests.memory", "limits.ephemeral-storage", "limits.hugepages-2Mi", "x"]),
    ("containerName", &["web", "app", "side", "nope"]),
    ("kind", &["Deployment", "Role", "ClusterRole", "User", "Group", "ServiceAccount", "PersistentVolumeClaim"]),
    ("apiVersion", &["v1", "apps/v1", "a/b/c"]),
    ("apiGroup", &["", "apps", "rbac.authorization.k8s.io", "snapshot.storage.k8s.io"]),
    ("apiGroups", &["", "apps", "*"]),
    ("verbs", &["get", "*", "list"]),
    ("whenUnsatisfiable", &["DoNotSchedule", "ScheduleAnyway"]),
    ("topologyKey", &["kubernetes.io/hostname", "topology.kubernetes.io/zone", "a b", ""]),
    ("resourceName", &["cpu", "memory", "pods"]),
    ("accessModes", &["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]),
    ("ipFamilies", &["IPv4", "IPv6"]),
    ("clusterIP", &["None", "", "10.96.3.4", "::1"]),
    ("clusterIPs", &["None", "", "10.96.3.4"]),
    ("externalName", &["db.example.com", "x_y", ""]),
    ("add", &["NET_ADMIN", "ALL", "CAP_SYS_ADMIN"]),
    ("drop", &["ALL", "NET_RAW"]),
    ("scopeName", &["PriorityClass", "Terminating", "BestEffort", "CrossNamespacePodAffinity", "Foo"]),
    (
        "scopes",
        &[
            "Terminating",
            "NotTerminating",
            "BestEffort",
            "NotBestEffort",
            "PriorityClass",
            "CrossNamespacePodAffinity",
            "VolumeAttributesClass",
        ],
    ),
    ("policyTypes", &["Ingress", "Egress"]),
    ("procMount", &["Default", "Unmasked"]),
    ("mountPropagation", &["None", "HostToContainer", "Bidirectional"]),
    ("recursiveReadOnly", &["Disabled", "IfPossible", "Enabled"]),
    ("sysctls", &["net.core.somaxconn"]),
    ("finalizers", &["kubernetes", "example.com/a", "orphan", "foregroundDeletion", "noslash"]),
    ("schedule", &["* * * * *", "@hourly", "0 0 31 2 *", "1-70 * * * *", "* * * *"]),
    ("timeZone", &["Etc/UTC", "Europe/Berlin", "Local", "Mars/X"]),
    ("level", &["s0:c1"]),
    ("nameservers", &["10.0.0.10", "1.1.1.1"]),
    ("searches", &["example.com", ".", "a_b"]),
    ("hostnames", &["foo.local"]),
    ("secretName", &["keys"]),
    ("claimName", &["data"]),
    ("driver", &["csi.example.com", "example.com/lvm", "-x"]),
    ("reference", &["registry.example.com/model:1", ""]),
    ("stopSignal", &["SIGTERM", "SIGKILL", "SIGX"]),
];

/// Any string, rather a bad one.
pub(crate) fn string(random: &mut Random) -> String {
    match random.below(12) {
        0 => {
            let unit = *random.pick(&["a", "A", "a.", "9", "-"]);
            unit.repeat(*random.pick(&LONG))
        }
        _ => (*random.pick(STRINGS)).to_owned(),
    }
}

/// Any number.
pub(crate) fn number(random: &mut Random) -> Value {
    match random.below(12) {
        0 => json!(1.5),
        1 => json!(1e20),
        _ => json!(*random.pick(NUMBERS)),
    }
}

/// A value of any JSON type.
pub(crate) fn any(random: &mut Random) -> Value {
    match random.below(9) {
        0 => json!(true),
        1 => json!([]),
        2 => json!({}),
        3 => json!(["a"]),
        4 => json!({ "a": "b" }),
        5 => number(random),
        6 => Value::Null,
        _ => json!(string(random)),
    }
}

/// Makes values that decode into the fields of a schema.
pub(crate) struct Maker<'s> {
    pub(crate) schema: &'s Schema,
}

impl Maker<'_> {
    /// A value for a field, seldom a bad one.
    pub(crate) fn field(&self, random: &mut Random, field: &Field, depth: usize) -> Value {
        self.value(random, field, &field.shape, depth)
    }

    fn value(&self, random: &mut Random, field: &Field, shape: &Shape, depth: usize) -> Value {
        match shape {
            Shape::String | Shape::Any => json!(text(random, field)),
            Shape::Bool => json!(random.percent(50)),
            Shape::Int32 | Shape::Int64 => json!(*random.pick(&NUMBERS[..NUMBERS.len() - 3])),
            Shape::Float64 => json!(0.5),
            Shape::Bytes => json!("aGk="),
            Shape::Quantity => json!(*random.pick(QUANTITIES)),
            Shape::IntOrString => {
                if random.percent(60) {
                    json!(*random.pick(&NUMBERS[..25]))
                } else {
                    json!(string(random))
                }
            }
            Shape::Time => json!("2024-01-02T03:04:05Z"),
            Shape::MicroTime => json!("2024-01-02T03:04:05.000000Z"),
            Shape::Duration => json!("5s"),
            Shape::Struct(id) | Shape::SchemaOrBool(id) | Shape::SchemaOrList(id) | Shape::SchemaOrStrings(id) => {
                self.structure(random, self.schema.type_(*id), depth)
            }
            Shape::List(item) => {
                let count = 1 + random.below(2);
                (0..count).map(|_| self.value(random, field, item, depth)).collect()
            }
            Shape::Map(item) => {
                let mut map = Map::new();
                for _ in 0..=random.below(2) {
                    let key = if random.percent(30) { string(random) } else { map_key(random, field) };
                    map.insert(key, self.value(random, field, item, depth));
                }
                Value::Object(map)
            }
        }
    }

    fn structure(&self, random: &mut Random, type_: &Type, depth: usize) -> Value {
        let mut map = Map::new();
        for field in &type_.fields {
            let chance = match depth {
                _ if field.required => 92,
                0 | 1 => 45,
                2 => 25,
                _ => 8,
            };
            if depth < 6 && random.percent(chance) {
                map.insert(field.name.to_string(), self.value(random, field, &field.shape, depth + 1));
            }
        }
        Value::Object(map)
    }
}

fn map_key(random: &mut Random, field: &Field) -> String {
    let keys: &[&str] = match field.name.as_ref() {
        "limits" | "requests" | "max" | "min" | "default" | "defaultRequest" | "hard" | "podFixed" | "capacity" => {
            &["cpu", "memory", "storage", "ephemeral-storage", "hugepages-2Mi", "example.com/gpu", "pods", "gpu"]
        }
        _ => &["app", "a", "example.com/x", "tier"],
    };
    (*random.pick(keys)).to_owned()
}

/// A string for a field: one of its enumeration or of those known by its name, sometimes any.
pub(crate) fn text(random: &mut Random, field: &Field) -> String {
    if !field.allowed.is_empty() && random.percent(85) {
        return random.pick(&field.allowed).to_string();
    }
    let named = NAMED.iter().find(|(name, _)| *name == field.name);
    match named {
        Some((_, values)) if random.percent(75) => (*random.pick(values)).to_owned(),
        _ if random.percent(50) => (*random.pick(&["a", "web", "x-1", "example.com"])).to_owned(),
        _ => string(random),
    }
}

/// A quantity, good or bad.
pub(crate) fn quantity(random: &mut Random) -> Value {
    json!(*random.pick(QUANTITIES))
}
