use super::*;
use serde_json::Value;

type Check = fn(&str) -> Vec<String>;

fn flat(errors: Vec<NameError>) -> Vec<String> {
    let text = |error| match error {
        NameError::Required => "Required".to_owned(),
        NameError::Invalid { value, detail } => format!("{value}: {detail}"),
    };
    errors.into_iter().map(text).collect()
}

const CHECKS: &[(&str, Check)] = &[
    ("IsDNS1123Label", is_dns1123_label),
    ("IsDNS1123Subdomain", is_dns1123_subdomain),
    ("IsDNS1123SubdomainCaseless", is_dns1123_subdomain_caseless),
    ("IsDNS1123SubdomainWithUnderscore", is_dns1123_subdomain_with_underscore),
    ("IsDNS1035Label", is_dns1035_label),
    ("IsWildcardDNS1123Subdomain", is_wildcard_dns1123_subdomain),
    ("IsQualifiedName", is_qualified_name),
    ("IsValidLabelValue", is_valid_label_value),
    ("IsConfigMapKey", is_config_map_key),
    ("IsRelaxedEnvVarName", is_env_var_name),
    ("IsEnvVarName", is_strict_env_var_name),
    ("IsValidPortName", is_valid_port_name),
    ("IsValidPercent", is_valid_percent),
    ("IsHTTPHeaderName", is_http_header_name),
    ("IsCIdentifier", is_c_identifier),
    ("IsDecimalInteger", is_decimal_integer),
    ("IsPathSegmentName", is_valid_path_segment_name),
    ("IsPathSegmentPrefix", is_valid_path_segment_prefix),
    ("IsFullyQualifiedDomainName", |v| flat(is_fully_qualified_domain_name(v))),
    ("IsFullyQualifiedName", |v| flat(is_fully_qualified_name(v))),
    ("IsDomainPrefixedPath", |v| flat(is_domain_prefixed_path(v))),
    ("IsDomainPrefixedKey", |v| flat(is_domain_prefixed_key(v))),
    ("NameIsDNSSubdomain", |v| name_is_dns_subdomain(v, true)),
    ("NameIsDNSLabel", |v| name_is_dns_label(v, true)),
    ("NameIsDNS1035Label", |v| name_is_dns1035_label(v, true)),
    ("IsValidIP", is_valid_ip),
    ("IsValidIPForLegacyField", |v| is_valid_ip_for_legacy_field(v, false)),
    ("IsValidIPForLegacyFieldStrict", |v| is_valid_ip_for_legacy_field(v, true)),
    ("IsValidCIDR", is_valid_cidr),
    ("IsValidCIDRForLegacyField", |v| is_valid_cidr_for_legacy_field(v, false)),
    ("IsValidCIDRForLegacyFieldStrict", |v| is_valid_cidr_for_legacy_field(v, true)),
    ("IsValidInterfaceAddress", is_valid_interface_address),
    ("GetWarningsForIP", warnings_for_ip),
    ("GetWarningsForCIDR", warnings_for_cidr),
];

/// Every row of `fixtures/model/names.jsonl`: recorded answers of apimachinery v0.36.3, under the
/// names its functions have there. The first line lists the messages that the others name by their
/// place; a check that a row does not mention has no complaint.
#[test]
fn recorded_answers() {
    let text = include_str!("../../../fixtures/model/names.jsonl");
    let mut rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let messages = rows.next().unwrap()["messages"].take();
    for row in rows {
        let value = row["in"].as_str().unwrap();
        for (name, check) in CHECKS {
            let places = row.get(*name).and_then(Value::as_array).cloned().unwrap_or_default();
            let expected = places.iter().map(|at| &messages[at.as_u64().unwrap() as usize]);
            let expected: Vec<_> = expected.map(|message| message.as_str().unwrap()).collect();
            assert_eq!(check(value), expected, "{name} of {value:?}");
        }
    }
}

#[test]
fn numbers() {
    assert_eq!(is_valid_port_num(0), ["must be between 1 and 65535, inclusive"]);
    assert!(is_valid_port_num(65535).is_empty());
    assert!(is_valid_user_id(0).is_empty() && is_valid_group_id(2_147_483_647).is_empty());
    let range = "must be between 0 and 2147483647, inclusive";
    assert_eq!(is_valid_user_id(-1), [range]);
    assert_eq!(is_valid_group_id(2_147_483_648), [range]);
}

#[test]
fn ranges_hold_addresses() {
    let holds =
        |range: &str, address: &str| parse_cidr_sloppy(range).unwrap().contains(parse_ip_sloppy(address).unwrap());
    assert!(holds("10.0.0.0/8", "10.255.0.1"));
    assert!(!holds("10.0.0.0/8", "11.0.0.0"));
    assert!(holds("0.0.0.0/0", "255.255.255.255"));
    assert!(!holds("0.0.0.0/0", "::1"));
    assert!(holds("::/0", "2001:db8::1"));
    assert!(holds("::ffff:10.0.0.0/104", "10.1.2.3"));
}
