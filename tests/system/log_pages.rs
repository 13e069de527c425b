//! Reading logs that do not fit on a page.

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use evenkeel::{
    aws::{Aws, LogStream},
    metrics::Metrics,
};
use jiff::Timestamp;

use crate::bare::Bare;

/// More than the 10,000 events of a page.
const EVENTS: usize = 12_000;

fn stream(task: &str) -> LogStream {
    LogStream {
        group: "/ecs/api".to_owned(),
        prefix: "p".to_owned(),
        container: "api".to_owned(),
        task: task.to_owned(),
    }
}

/// Writes numbered lines, one per millisecond, the last of them now.
async fn write(bare: &Bare, stream: &LogStream) -> Timestamp {
    let logs = &bare.clients.logs;
    let request = logs
        .create_log_stream()
        .log_group_name(&stream.group)
        .log_stream_name(stream.name());
    request.send().await.unwrap();
    let now = Timestamp::now().as_millisecond();
    let first = now - i64::try_from(EVENTS).unwrap();
    let lines: Vec<_> = (0..EVENTS).collect();
    for some in lines.chunks(6_000) {
        let events = some.iter().map(|number| {
            InputLogEvent::builder()
                .timestamp(first + i64::try_from(*number).unwrap())
                .message(format!("line {number}"))
                .build()
                .unwrap()
        });
        let request = logs
            .put_log_events()
            .log_group_name(&stream.group)
            .log_stream_name(stream.name())
            .set_log_events(Some(events.collect()));
        request.send().await.unwrap();
    }
    Timestamp::from_millisecond(first).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_is_read_once_over_pages_and_only_of_the_tasks_that_are_meant() {
    let bare = Bare::start().await;
    let group = bare
        .clients
        .logs
        .create_log_group()
        .log_group_name("/ecs/api");
    group.send().await.unwrap();
    let (ours, theirs) = (stream("0123"), stream("4567"));
    let first = write(&bare, &ours).await;
    write(&bare, &theirs).await;
    let aws = Aws::new(bare.clients.clone(), Metrics::new().unwrap());

    // The second stream is searched as well, being of the same prefix, and it is nobody's.
    let streams = [ours.clone(), stream("89ab")];
    let (mut read, mut pages, mut next) = (Vec::new(), 0, None);
    loop {
        let (page, token) = aws.log_page(&streams, first, next).await.unwrap();
        read.extend(page);
        pages += 1;
        next = token;
        if next.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (0..EVENTS).map(|number| format!("line {number}")).collect();
    let messages: Vec<_> = read.iter().map(|line| line.message.clone()).collect();
    assert!(
        messages == expected,
        "{} lines in {pages} pages",
        messages.len()
    );
    assert!(pages > 1 && read.iter().all(|line| line.task == "0123"));

    let tail = aws.log_tail(&ours, None, 11_000).await.unwrap();
    let messages: Vec<_> = tail.iter().map(|line| line.message.clone()).collect();
    assert!(
        messages == expected[EVENTS - 11_000..],
        "{}",
        messages.len()
    );
    let more_than_there_is = aws.log_tail(&ours, None, 50_000).await.unwrap();
    assert_eq!(more_than_there_is.len(), EVENTS);
    let missing = aws.log_tail(&stream("cdef"), None, 10).await.unwrap();
    assert_eq!(missing, []);
}
