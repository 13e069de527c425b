//! A panic in a handler is one failed request, not the end of its connection.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// The handler panicked; the panic hook has logged where and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

/// Runs `handler` to its end or to its panic. It is pinned by the caller, or else each connection would have room for it twice.
///
/// What the handler shares is safe to use afterwards: it consists of pools, atomics and counters, and a connection in use is dropped.
pub(crate) async fn catch_panic<T>(
    mut handler: Pin<&mut impl Future<Output = T>>,
) -> Result<T, Panicked> {
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        },
    )
    .await
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_value() {
        assert_eq!(catch_panic(pin!(async { 1 })).await, Ok(1));
        let handler = pin!(async {
            tokio::task::yield_now().await;
            panic!("on purpose");
        });
        assert_eq!(catch_panic::<()>(handler).await, Err(Panicked));
    }
}
