//! How the cores share the connections.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::answer::Answer;
use crate::{Failure, connection, counts};

pub enum Share {
    /// A runtime of one thread per core, each with a listener of its own (SO_REUSEPORT): the kernel chooses one for each connection.
    Listeners,
    /// A runtime of one thread per core; whoever accepts gives each connection to the one that has the fewest.
    Fewest,
    /// One runtime with a thread per core, which take tasks from each other.
    Stealing,
}

impl Share {
    pub fn serve(self, port: u16, answer: Answer) -> Result<(), Failure> {
        let cores = thread::available_parallelism()?.get();
        match self {
            Self::Listeners => listeners(port, &answer, cores),
            Self::Fewest => fewest(port, &answer, cores),
            Self::Stealing => stealing(port, &answer, cores),
        }
    }
}

fn listeners(port: u16, answer: &Answer, cores: usize) -> Result<(), Failure> {
    let serve = |answer: Answer| {
        counts::thread_starts();
        one_thread()?.block_on(async {
            let answer = answer.after_a_look_up().await?;
            let listener = listen(port)?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(connection(stream, answer.clone()));
            }
        })
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..cores)
            .map(|_| scope.spawn(|| serve(answer.clone())))
            .collect();
        let mut threads = threads.into_iter();
        threads.try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
    })
}

fn fewest(port: u16, answer: &Answer, cores: usize) -> Result<(), Failure> {
    let runtimes: Vec<Handle> = (0..cores)
        .map(|_| {
            let runtime = one_thread()?;
            let handle = runtime.handle().clone();
            thread::spawn(move || {
                counts::thread_starts();
                runtime.block_on(std::future::pending::<()>());
            });
            Ok(handle)
        })
        .collect::<Result<_, Failure>>()?;
    one_thread()?.block_on(async {
        let mut lanes = Vec::new();
        for runtime in runtimes {
            let answer = runtime.spawn(answer.clone().after_a_look_up()).await??;
            // Each connection holds the last.
            lanes.push((runtime, answer, Arc::new(())));
        }
        let listener = listen(port)?;
        loop {
            let stream = listener.accept().await?.0.into_std()?;
            let lane = lanes
                .iter()
                .min_by_key(|(_, _, open)| Arc::strong_count(open));
            let (runtime, answer, open) = lane.ok_or("there is no core")?;
            let (answer, open) = (answer.clone(), Arc::clone(open));
            runtime.spawn(async move {
                let _open = open;
                if let Ok(stream) = TcpStream::from_std(stream) {
                    connection(stream, answer).await;
                }
            });
        }
    })
}

fn stealing(port: u16, answer: &Answer, cores: usize) -> Result<(), Failure> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(cores)
        .on_thread_start(counts::thread_starts)
        .enable_all()
        .build()?;
    let answer = answer.clone();
    // A task of the runtime too: what it spawns starts on a thread that serves.
    let accept = runtime.spawn(async move {
        let mut answers = Vec::new();
        for _ in 0..cores {
            answers.push(answer.clone().after_a_look_up().await?);
        }
        let listener = listen(port)?;
        for answer in answers.iter().cycle() {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(connection(stream, answer.clone()));
        }
        Ok(())
    });
    runtime.block_on(accept)?
}

fn one_thread() -> Result<Runtime, Failure> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// A listener that may share its port with those of other threads.
fn listen(port: u16) -> Result<TcpListener, Failure> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(1024)?;
    Ok(TcpListener::from_std(socket.into())?)
}
