//! The Query protocol's answers. A reply's JSON becomes the content of `<OperationResult>`: keys are elements, arrays
//! are `<member>` lists, nulls are left out.

use serde_json::Value;

use crate::core::{ApiError, Reply, Service};

pub(super) const CONTENT_TYPE: &str = "text/xml";

pub(super) fn reply(service: Service, operation: &str, reply: &Reply, request_id: &str) -> String {
    let namespace = namespace(service);
    let mut out = format!(r#"<{operation}Response xmlns="{namespace}"><{operation}Result>"#);
    content(&mut out, reply);
    out.push_str(&format!(
        "</{operation}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    ));
    out
}

pub(super) fn error(service: Service, error: &ApiError, request_id: &str) -> String {
    let fault = if error.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    let mut out = format!(
        r#"<ErrorResponse xmlns="{}"><Error><Type>{fault}</Type><Code>{}</Code><Message>"#,
        namespace(service),
        error.code
    );
    escape(&mut out, &error.message);
    out.push_str(&format!(
        "</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    ));
    out
}

/// From each service's API model.
fn namespace(service: Service) -> &'static str {
    match service {
        Service::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
        Service::Elbv2 | Service::Ecs | Service::Logs | Service::Ecr | Service::S3 => {
            "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"
        }
    }
}

pub(super) fn content(out: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => escape(out, text),
        Value::Array(members) => members.iter().for_each(|item| element(out, "member", item)),
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, item)| element(out, name, item)),
    }
}

pub(super) fn element(out: &mut String, name: &str, value: &Value) {
    if value.is_null() {
        return;
    }
    out.push('<');
    out.push_str(name);
    out.push('>');
    content(out, value);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Escapes what XML reserves, and replaces what XML 1.0 cannot hold at all.
pub(super) fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // A parser would turn it into a line feed.
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(character),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use quick_xml::{Reader, events::Event};
    use serde_json::json;

    use super::*;

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other kinds of XML events are never written"
    )]
    /// Every text of a document with the path of its elements, as a client reads it.
    fn texts(document: &str) -> Vec<(String, String)> {
        let mut reader = Reader::from_str(document);
        let (mut path, mut out) = (Vec::new(), Vec::new());
        let mut text = String::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => {
                    path.push(start.name().as_ref().to_owned());
                    text.clear();
                }
                Event::Text(part) => text.push_str(&part),
                Event::GeneralRef(name) => {
                    let name = format!("&{};", &*name);
                    text.push_str(&quick_xml::escape::unescape(&name).unwrap());
                }
                Event::End(_) => {
                    if !text.is_empty() {
                        out.push((path.join("/"), std::mem::take(&mut text)));
                    }
                    path.pop();
                }
                Event::Eof => return out,
                other => panic!("{other:?} is nothing we write"),
            }
        }
    }

    #[test]
    fn replies_have_aws_envelope_and_survive_a_parser() {
        let document = reply(
            Service::Elbv2,
            "DescribeTargetGroups",
            &json!({
                "TargetGroups": [
                    {"TargetGroupName": "a<b>&\"c\"\r\n", "Port": 8080, "HealthCheckEnabled": true, "VpcId": null,
                     "LoadBalancerArns": ["x", "y"]},
                    {"TargetGroupName": "\u{1}"},
                ],
                "NextMarker": null,
            }),
            "id-1",
        );
        assert!(document.starts_with(
            r#"<DescribeTargetGroupsResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"><DescribeTargetGroupsResult><TargetGroups><member>"#
        ));
        let root = "DescribeTargetGroupsResponse";
        let member = format!("{root}/DescribeTargetGroupsResult/TargetGroups/member");
        let expected = [
            (format!("{member}/TargetGroupName"), "a<b>&\"c\"\r\n"),
            (format!("{member}/Port"), "8080"),
            (format!("{member}/HealthCheckEnabled"), "true"),
            (format!("{member}/LoadBalancerArns/member"), "x"),
            (format!("{member}/LoadBalancerArns/member"), "y"),
            (format!("{member}/TargetGroupName"), "\u{fffd}"),
            (format!("{root}/ResponseMetadata/RequestId"), "id-1"),
        ];
        let expected = expected.map(|(path, text)| (path, text.to_owned()));
        assert_eq!(texts(&document), expected);
    }

    #[test]
    fn errors_name_whose_fault_it_is() {
        let failure = |status| ApiError {
            status,
            code: "TargetGroupNotFound",
            message: "One or more target groups not found: <a>".into(),
        };
        let document = error(Service::Elbv2, &failure(400), "id-2");
        assert_eq!(
            document,
            "<ErrorResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\"><Error><Type>Sender</Type>\
             <Code>TargetGroupNotFound</Code><Message>One or more target groups not found: &lt;a&gt;</Message></Error>\
             <RequestId>id-2</RequestId></ErrorResponse>"
        );
        assert!(error(Service::Sts, &failure(500), "id").contains("<Type>Receiver</Type>"));
    }

    #[test]
    fn an_operation_without_output_still_has_its_result() {
        let document = reply(Service::Elbv2, "RegisterTargets", &json!({}), "id");
        assert!(document.contains("<RegisterTargetsResult></RegisterTargetsResult>"));
    }
}
