use super::*;

/// Requests that are sound; each ends where the next begins.
const SOUND: [&str; 10] = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nG\nT /",
    "POST / HTTP/1.1\r\nHost: a\r\ncontent-length:\t0 \r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\nb\r\n0a ;x=\"y\"\r\n0123456789\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;\r\n\n\r\n000\r\nA: b\r\nContent-Length: 9\r\n\r\n",
    "GET / HTTP/1.1\r\nTE: trailers\r\nContent-Type: a\r\nContent-Length-Not: 1\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nConnection: close\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
];

/// What must be refused: the sound part, what is wrong with it, and whether it is in a head.
const BROKEN: [(&str, &str, bool); 17] = [
    ("", "GET / HTTP/1.1\n", true),
    ("", "\n", true),
    ("GET / HTTP/1.1\r\n", "Host: a\n", true),
    ("GET / HTTP/1.1\r\nHost: a\r\n", "\n", true),
    (
        "POST / HTTP/1.1\r\nContent-Length: 1\r\n",
        "Content-Length: 1\r\n",
        true,
    ),
    (
        "POST / HTTP/1.1\r\nContent-Length: 1\r\n",
        "Transfer-Encoding: chunked\r\n",
        true,
    ),
    (
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n",
        "content-length: 1\r\n",
        true,
    ),
    (
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\n",
        true,
    ),
    (
        "POST / HTTP/1.1\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        true,
    ),
    ("POST / HTTP/1.1\r\n", "Transfer-Encoding:\r\n", true),
    ("POST / HTTP/1.1\r\n", "Content-Length: +1\r\n", true),
    ("POST / HTTP/1.1\r\n", "Content-Length: 1, 1\r\n", true),
    (
        "POST / HTTP/1.1\r\n",
        "Content-Length: 18446744073709551616\r\n",
        true,
    ),
    (
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "1\n",
        false,
    ),
    (
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "0x1\r\n",
        false,
    ),
    (
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na",
        "b\r\n",
        false,
    ),
    (
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        "A: b\n",
        false,
    ),
];

fn sound_requests() -> Vec<u8> {
    SOUND.concat().into_bytes()
}

/// Reads in pieces that end at `cuts`, as a connection would.
fn read(bytes: &[u8], cuts: &[usize]) -> (Framing, Result<usize, usize>) {
    let mut framing = Framing::default();
    let mut heads = 0;
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        match framing.read(&bytes[start..end]) {
            Ok(ended) => heads += ended,
            Err(broken) => return (framing, Err(start + broken.sound)),
        }
        start = end;
    }
    (framing, Ok(heads))
}

#[test]
fn sound_requests_are_followed_however_they_are_cut() {
    let bytes = sound_requests();
    for cut in 0..=bytes.len() {
        let (framing, heads) = read(&bytes, &[cut]);
        assert_eq!(heads, Ok(SOUND.len()), "cut at {cut}");
        assert_eq!(framing.at, At::Start);
        assert!(!framing.is_in_head());
    }
    let every: Vec<_> = (0..bytes.len()).collect();
    assert_eq!(read(&bytes, &every).1, Ok(SOUND.len()));
}

#[test]
fn what_is_broken_is_told_before_it_ends_after_any_request_and_however_it_is_cut() {
    for (sound, broken, in_head) in BROKEN {
        for before in [&[][..], &sound_requests()] {
            let bytes = [before, sound.as_bytes(), broken.as_bytes(), b"more"].concat();
            let from = before.len() + sound.len();
            let mut framing = Framing::default();
            let told = framing.read(&bytes);
            let expected = Broken {
                sound: from,
                in_head,
            };
            assert_eq!(told, Err(expected), "{sound}{broken}");
            for cut in 0..bytes.len() {
                let (_, told) = read(&bytes, &[cut]);
                let told = told.expect_err(broken);
                // In pieces, the beginning of the line has been handed on.
                assert!(
                    (from..from + broken.len()).contains(&told),
                    "{sound}{broken} cut at {cut}: told at {told}"
                );
            }
        }
    }
}

/// The same verdict on any bytes, whatever the pieces: mutations of sound requests, cut at random.
#[test]
fn the_verdict_does_not_depend_on_the_pieces() {
    let mut random = fastrand::Rng::with_seed(7);
    let sound = sound_requests();
    for round in 0..20_000 {
        let mut bytes = sound.clone();
        for _ in 0..random.usize(0..3) {
            let place = random.usize(0..bytes.len());
            match random.u8(0..3) {
                0 => bytes[place] = *random.choice(b"\r\n: ;0aG").unwrap(),
                1 => drop(bytes.remove(place)),
                _ => bytes.insert(place, *random.choice(b"\r\n: ;0aG").unwrap()),
            }
        }
        let mut cuts: Vec<_> = (0..random.usize(0..6))
            .map(|_| random.usize(0..bytes.len()))
            .collect();
        cuts.sort_unstable();
        let (whole, one) = read(&bytes, &[]);
        let (pieces, many) = read(&bytes, &cuts);
        assert_eq!(one.is_ok(), many.is_ok(), "round {round}");
        if one.is_ok() {
            assert_eq!(one, many, "round {round}");
            assert_eq!(
                (whole.at, whole.line),
                (pieces.at, pieces.line),
                "round {round}"
            );
        }
    }
}

#[test]
fn a_head_is_noticed_from_its_first_byte() {
    let mut framing = Framing::default();
    assert!(!framing.is_in_head());
    for (bytes, in_head) in [
        ("\r\n", false),
        ("G", true),
        ("ET / HTTP/1.1\r\n", true),
        ("\r\n", false),
    ] {
        framing.read(bytes.as_bytes()).unwrap();
        assert_eq!(framing.is_in_head(), in_head, "{bytes:?}");
    }
}

#[test]
fn a_line_without_end_is_not_kept_for_ever() {
    let mut framing = Framing::default();
    let piece = [b'a'; 1024];
    let read = (0..=MAX_LINE / piece.len()).try_for_each(|_| framing.read(&piece).map(drop));
    assert!(read.is_err());
}
