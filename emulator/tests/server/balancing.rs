//! The load balancer with real tasks behind it: rules, and no healthy target.

use std::time::Instant;

use super::{rollout::Served, *};

impl Running {
    /// Status and body of a GET through the load balancer, and its head.
    async fn through(&self, path: &str) -> (u16, String, String) {
        let exchange = async {
            let mut stream = TcpStream::connect(self.listeners[&80]).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let answer = timeout(Duration::from_secs(20), exchange).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (
            head[9..12].parse().unwrap(),
            body.to_owned(),
            head.to_owned(),
        )
    }

    async fn states(&self, group: &str) -> Vec<String> {
        let query =
            format!("Version=2015-12-01&Action=DescribeTargetHealth&TargetGroupArn={group}");
        let answer = self.http("POST", "/", &[], &query).await.2;
        let states = answer.split("<State>").skip(1);
        states
            .map(|rest| rest.split_once('<').unwrap().0.to_owned())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_carried_out_and_without_a_healthy_target_it_fails_open() {
    let Served {
        emulator,
        group,
        listener,
        ..
    } = Served::start().await;
    for (priority, path, action) in [
        (
            1,
            "/closed",
            "Type=fixed-response&Actions.member.1.FixedResponseConfig.StatusCode=418\
             &Actions.member.1.FixedResponseConfig.MessageBody=closed",
        ),
        (
            2,
            "/old/*",
            "Type=redirect&Actions.member.1.RedirectConfig.StatusCode=HTTP_302\
             &Actions.member.1.RedirectConfig.Host=new.example",
        ),
    ] {
        let query = format!(
            "Action=CreateRule&ListenerArn={listener}&Priority={priority}&Conditions.member.1.Field=path-pattern\
             &Conditions.member.1.Values.member.1={path}&Actions.member.1.{action}"
        );
        emulator.elb(&query, "RuleArn").await;
    }
    let (status, body, _) = emulator.through("/closed").await;
    assert_eq!((status, body.as_str()), (418, "closed"));
    let (status, _, head) = emulator.through("/old/a?b=c").await;
    assert_eq!(status, 302);
    let location = "location: http://new.example:80/old/a?b=c";
    assert!(head.to_lowercase().contains(location), "{head}");
    let (status, body, _) = emulator.through("/").await;
    assert_eq!((status, body.as_str()), (200, "1"));

    // From now on no answer of theirs passes.
    let modify = format!("Action=ModifyTargetGroup&TargetGroupArn={group}&Matcher.HttpCode=204");
    emulator.elb(&modify, "TargetGroupArn").await;
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let states = emulator.states(&group).await;
        let (status, body, head) = emulator.through("/").await;
        assert_eq!((status, body.as_str()), (200, "1"), "{states:?} {head}");
        if !states.contains(&"healthy".to_owned()) && states.contains(&"unhealthy".to_owned()) {
            break;
        }
        assert!(Instant::now() < until, "{states:?}");
    }
    for _ in 0..4 {
        assert_eq!(emulator.through("/").await.0, 200);
    }
    emulator.shutdown.cancel();
    emulator.task.await.unwrap();
}
