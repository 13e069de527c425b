//! Faults as a test sets them: over the wire.

use std::time::Instant;

use super::*;

const LIST: &str = "AmazonEC2ContainerServiceV20141113.ListClusters";
const CREATE: &str = "AmazonEC2ContainerServiceV20141113.CreateCluster";

impl Running {
    async fn faults(&self, method: &str, plan: Value) -> (u16, Value) {
        let body = if plan.is_null() {
            String::new()
        } else {
            plan.to_string()
        };
        let (status, _, answer) = self.http(method, "/_emulator/faults", &[], &body).await;
        (status, serde_json::from_str(&answer).unwrap())
    }

    async fn set_faults(&self, rules: Value) {
        let (status, answer) = self.faults("POST", json!({ "rules": rules })).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Every entry of the journal.
    async fn journal(&self) -> Vec<Value> {
        let journal = self.get("/_emulator/journal").await.1;
        journal["entries"].as_array().unwrap().clone()
    }

    /// What came back on the connection of a call until it closed.
    async fn call_raw(&self, target: &str, body: &str) -> String {
        let head = format!(
            "POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: {target}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.aws).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        timeout(Duration::from_secs(20), read)
            .await
            .unwrap()
            .unwrap();
        answer
    }
}

#[tokio::test]
async fn they_are_set_listed_and_cleared() {
    let emulator = Running::start().await;
    let none = json!({ "seed": null, "buckets": false, "rules": [] });
    assert_eq!(
        emulator.faults("GET", Value::Null).await,
        (200, none.clone())
    );
    let rule = json!({ "service": "ecs", "operation": "List*", "times": 1, "effect": "throttle" });
    let plan = json!({ "seed": 4, "buckets": true, "rules": [rule] });
    assert_eq!(emulator.faults("POST", plan).await.0, 200);

    let (status, _, answer) = emulator.json(LIST, "{}").await;
    assert_eq!(status, 400);
    let throttled = json!({ "__type": "ThrottlingException", "message": "Rate exceeded" });
    assert_eq!(answer, throttled);
    assert_eq!(emulator.json(LIST, "{}").await.0, 200);
    let journal = emulator.journal().await;
    assert_eq!(journal[0]["faults"], json!(["throttle"]));
    assert_eq!(journal[0]["code"], "ThrottlingException");
    assert_eq!(journal[1].get("faults"), None);

    let listed = emulator.faults("GET", Value::Null).await.1;
    assert_eq!(listed["rules"][0]["applied"], 1);
    assert_eq!(listed["rules"][0]["active"], false);
    for plan in [
        json!({ "rule": [] }),
        json!([]),
        json!({ "rules": [{ "effect": "x" }] }),
    ] {
        let (status, answer) = emulator.faults("POST", plan).await;
        assert_eq!(status, 400);
        assert!(answer["error"].as_str().unwrap().len() > 20, "{answer}");
    }
    assert_eq!(emulator.faults("GET", Value::Null).await.1, listed);
    assert_eq!(emulator.faults("DELETE", Value::Null).await, (200, none));
    assert_eq!(emulator.faults("PUT", Value::Null).await.0, 405);
}

#[tokio::test]
async fn a_lost_reply_was_a_call_that_was_carried_out() {
    let emulator = Running::start().await;
    let lost = json!([{ "operation": "Create*", "times": 1, "effect": "replyLost" }]);
    emulator.set_faults(lost).await;
    let answer = emulator.call_raw(CREATE, r#"{"clusterName":"a"}"#).await;
    assert_eq!(answer, "");
    let (_, _, clusters) = emulator.json(LIST, "{}").await;
    assert_eq!(clusters["clusterArns"].as_array().unwrap().len(), 1);
    let journal = emulator.journal().await;
    assert_eq!(journal[0]["code"], "OK");
    assert_eq!(journal[0]["faults"], json!(["replyLost"]));
}

#[tokio::test]
async fn a_call_that_hangs_is_neither_answered_nor_carried_out_and_others_go_on() {
    let emulator = Running::start().await;
    let hang = json!([{ "operation": "Create*", "effect": "hang" }]);
    emulator.set_faults(hang).await;
    let hanging = emulator.call_raw(CREATE, r#"{"clusterName":"a"}"#);
    tokio::pin!(hanging);
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        tokio::select! {
            answer = &mut hanging => panic!("{answer:?}"),
            journal = emulator.journal() => match journal.first() {
                Some(entry) => {
                    assert_eq!(entry["code"], "NoAnswer");
                    assert_eq!(entry["status"], 0);
                    break;
                }
                None => assert!(Instant::now() < until, "it was never heard of"),
            },
        }
    }
    let (_, _, clusters) = emulator.json(LIST, "{}").await;
    assert_eq!(clusters["clusterArns"], json!([]));
}

#[tokio::test]
async fn a_late_call_is_carried_out_although_its_caller_has_gone() {
    let emulator = Running::start().await;
    let delay = json!([{ "operation": "Create*", "effect": { "delay": { "seconds": 0.4 } } }]);
    emulator.set_faults(delay).await;
    let before = Instant::now();
    let (status, _, _) = emulator.json(CREATE, r#"{"clusterName":"a"}"#).await;
    assert_eq!(status, 200);
    assert!(before.elapsed() >= Duration::from_millis(400));

    let call = emulator.call_raw(CREATE, r#"{"clusterName":"b"}"#);
    assert!(timeout(Duration::from_millis(100), call).await.is_err());
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let (_, _, clusters) = emulator.json(LIST, "{}").await;
        if clusters["clusterArns"].as_array().unwrap().len() == 2 {
            break;
        }
        assert!(Instant::now() < until, "{clusters}");
    }
}

#[tokio::test]
async fn the_index_tells_a_person_what_there_is() {
    let emulator = Running::start().await;
    for path in ["/_emulator", "/_emulator/"] {
        let (status, head, body) = emulator.http("GET", path, &[], "").await;
        assert_eq!(status, 200);
        assert!(head.contains("content-type: text/plain"), "{head}");
        for route in ["health", "endpoints", "journal", "faults"] {
            let address = format!("http://{}/_emulator/{route}", emulator.aws);
            assert!(body.contains(&address), "{body}");
        }
        // The example of faults is one that is taken.
        let example = body
            .split_once("-d '")
            .unwrap()
            .1
            .split_once('\'')
            .unwrap()
            .0;
        let (status, _, answer) = emulator
            .http("POST", "/_emulator/faults", &[], example)
            .await;
        assert_eq!(status, 200, "{answer}");
    }
}
