use super::*;
use serde_json::Value;

fn rows() -> Vec<Value> {
    let text = include_str!("../../../fixtures/model/quantity.jsonl");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every row of `fixtures/model/quantity.jsonl`: recorded answers of apimachinery v0.36.3.
#[test]
fn recorded_answers() {
    for row in rows() {
        let input = row["in"].as_str().unwrap();
        let quantity = match Quantity::parse(input) {
            Ok(quantity) => quantity,
            Err(error) => {
                assert_eq!(row["err"].as_str(), Some(error.to_string().as_str()), "{input:?}");
                continue;
            }
        };
        assert_eq!(row["canonical"], quantity.canonical(), "canonical of {input:?}");
        assert_eq!(row["stored"], quantity.stored().canonical(), "stored form of {input:?}");
        assert_eq!(row["value"], quantity.value(), "value of {input:?}");
        assert_eq!(row["milli"], quantity.milli_value(), "thousandths of {input:?}");
        if let Some(other) = row.get("other").and_then(Value::as_str) {
            let other = Quantity::parse(other).unwrap();
            let mut sum = quantity.clone();
            sum += &other;
            let mut difference = quantity.clone();
            difference -= &other;
            assert_eq!(row["sum"], sum.canonical(), "{input:?} + {other}");
            assert_eq!(row["difference"], difference.canonical(), "{input:?} - {other}");
            assert_eq!(row["cmp"], quantity.cmp(&other) as i64, "{input:?} against {other}");
        }
    }
}

#[test]
fn saturating_readings() {
    let read = |text: &str| {
        let quantity = Quantity::parse(text).unwrap();
        (quantity.value_saturating(), quantity.milli_value_saturating())
    };
    assert_eq!(read("1.5"), (2, 1500));
    assert_eq!(read("-1.5"), (-2, -1500));
    assert_eq!(read("1n"), (1, 1));
    assert_eq!(read("9223372036854775807"), (i64::MAX, i64::MAX));
    assert_eq!(read("-9223372036854775808"), (i64::MIN, i64::MIN));
    assert_eq!(read("1e2000000000"), (i64::MAX, i64::MAX));
    assert_eq!(read("-12345678901234567890123e2000000000"), (i64::MIN, i64::MIN));
}

#[test]
fn signs_and_integers() {
    assert_eq!(Quantity::parse("-0.0000000000000000001").unwrap().sign(), -1);
    assert_eq!(Quantity::parse("-0").unwrap().sign(), 0);
    assert!(Quantity::parse("1500m").is_ok_and(|q| !q.is_integer()));
    assert!(Quantity::parse("2000m").is_ok_and(|q| q.is_integer()));
    assert_eq!(Quantity::from_milli(1500).canonical(), "1500m");
    assert_eq!(Quantity::from_bytes(1 << 30).canonical(), "1Gi");
    assert_eq!(Quantity::from_i64(1000).canonical(), "1k");
    assert_eq!(Quantity::parse_json(" 1Gi\n").unwrap(), Quantity::from_bytes(1 << 30));
}

#[test]
fn lengths_stay_bounded() {
    let mut far = Quantity::parse("1e2000000000").unwrap();
    far += &Quantity::parse("1n").unwrap();
    assert_eq!(far.canonical(), "100e1999999998");
    let mut binary = Quantity::parse("1Ki").unwrap();
    binary += &Quantity::parse("1e2000000000").unwrap();
    assert_eq!(binary.canonical(), "100");
    let long = "1".repeat(50_000);
    assert_eq!(Quantity::parse(&long).unwrap().canonical(), long);
}

/// Beyond E there is no suffix, and what is left says less than was meant (k8s.io/apimachinery 0.36 prints the same).
#[test]
fn the_canonical_form_loses_what_no_suffix_says() {
    let cases = [
        ("7000E", "7"),
        ("7000000000000000000000", "7"),
        ("7000000000000000000000k", "7"),
        ("1000000E", "1"),
        ("10E", "10E"),
        ("7e21", "7e21"),
        ("9223372036854775808", "9223372036854775808"),
        ("5000000000000000000000m", "5E"),
    ];
    for (text, canonical) in cases {
        assert_eq!(Quantity::parse(text).unwrap().canonical(), canonical, "{text}");
    }
}

#[test]
fn what_is_plain_prints_as_it_is() {
    for suffix in ["", "m", "k", "M", "G", "Ki", "Mi", "Gi"] {
        for number in 1..1000 {
            let text = format!("{number}{suffix}");
            assert!(Quantity::is_plain(&text));
            let quantity = Quantity::parse(&text).unwrap();
            assert_eq!((quantity.canonical(), quantity.stored().canonical()), (text.clone(), text));
        }
    }
    for text in ["", "0", "01", "1000", "1024Mi", "1.5", "-1", "1u", "1Ti", "m", " 1", "1 ", "1e3", "1mi"] {
        assert!(!Quantity::is_plain(text), "{text}");
    }
}
