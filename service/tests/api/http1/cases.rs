//! Bytes, the statuses that answer them in order, and what becomes of the connection.

/// One connection's bytes.
pub(crate) struct Case {
    pub(crate) what: &'static str,
    pub(crate) bytes: &'static str,
    pub(crate) answers: &'static [u16],
    pub(crate) after: After,
}

/// Whether a connection takes another request afterwards.
#[derive(Clone, Copy)]
pub(crate) enum After {
    Open,
    Closed,
    /// Open, unless the body of a request that is answered without it has not arrived by then.
    Either,
}

use After::{Closed, Either, Open};

const fn case(
    what: &'static str,
    bytes: &'static str,
    answers: &'static [u16],
    after: After,
) -> Case {
    Case {
        what,
        bytes,
        answers,
        after,
    }
}

/// What a smuggled request would look like; it must never be answered.
macro_rules! smuggled {
    () => {
        "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    };
}

/// The head of a request with a JSON body, and more fields.
macro_rules! post {
    ($fields:literal, $($body:tt)*) => {
        concat!("POST /items HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n", $fields, "\r\n", $($body)*)
    };
}

#[rustfmt::skip] // A line is a case.
pub(crate) const CASES: &[Case] = &[
    // Plain requests.
    case("a request", "GET /health HTTP/1.1\r\nHost: a\r\n\r\n", &[200], Open),
    case("an empty line before it", "\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n", &[200], Open),
    case("two at once", "GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", &[200, 404], Open),
    case("close", "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", &[200], Closed),
    case("nothing after close", concat!("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", smuggled!()), &[200], Closed),
    case("field values may be empty or other than ASCII", "GET /health HTTP/1.1\r\nHost: a\r\nX:\r\nY: \u{e9}\t\r\n\r\n", &[200], Open),
    case("HEAD has no body", "HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n", &[200], Open),
    // Forms of the target (RFC 9112, section 3.2).
    case("absolute form", "GET http://b/health HTTP/1.1\r\nHost: a\r\n\r\n", &[200], Open),
    case("asterisk form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &[204], Open),
    case("asterisk form of another method", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", &[404], Open),
    case("authority form", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", &[405], Open),
    case("CONNECT with a path", "CONNECT /health HTTP/1.1\r\nHost: a\r\n\r\n", &[405], Open),
    case("no path", "GET health HTTP/1.1\r\nHost: a\r\n\r\n", &[404], Open),
    case("a fragment", "GET /health#x HTTP/1.1\r\nHost: a\r\n\r\n", &[200], Open),
    case("a space in the target", "GET /he alth HTTP/1.1\r\nHost: a\r\n\r\n", &[400], Closed),
    // Methods.
    case("an unknown method", "BREW /health HTTP/1.1\r\nHost: a\r\n\r\n", &[405], Open),
    case("a method in lower case", "get /health HTTP/1.1\r\nHost: a\r\n\r\n", &[405], Open),
    case("a method that is no token", "G@T /health HTTP/1.1\r\nHost: a\r\n\r\n", &[400], Closed),
    case("an Upgrade that nobody wants", "GET /health HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", &[200], Open),
    // Versions.
    case("HTTP/1.0", "GET /health HTTP/1.0\r\n\r\n", &[200], Closed),
    case("HTTP/1.0 that stays", "GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &[200], Open),
    case("HTTP/1.0 with chunks", concat!("POST /items HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", smuggled!()), &[400], Closed),
    case("HTTP/1.2", "GET /health HTTP/1.2\r\nHost: a\r\n\r\n", &[400], Closed),
    case("no version", "GET /health\r\n\r\n", &[400], Closed),
    case("TLS", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}", &[400], Closed),
    // Host.
    case("no Host", "GET /health HTTP/1.1\r\n\r\n", &[400], Closed),
    case("two Hosts", "GET /health HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", &[400], Closed),
    // Lines.
    case("a bare LF after the request line", "GET /health HTTP/1.1\nHost: a\r\n\r\n", &[400], Closed),
    case("a bare LF after a field", concat!("GET /health HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", smuggled!()), &[400], Closed),
    case("a bare LF as the end", concat!("GET /health HTTP/1.1\r\nHost: a\r\n\n", smuggled!()), &[400], Closed),
    case("a bare LF before all", "\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n", &[400], Closed),
    case("a bare CR in a value", "GET /health HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n", &[400], Closed),
    case("a NUL in a value", "GET /health HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n", &[400], Closed),
    case("a folded line", "GET /health HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", &[400], Closed),
    case("a folded line at first", "GET /health HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n", &[400], Closed),
    case("a space before the colon", "GET /health HTTP/1.1\r\nHost : a\r\n\r\n", &[400], Closed),
    case("no colon", "GET /health HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", &[400], Closed),
    case("no name", "GET /health HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n", &[400], Closed),
    case("a sound request before a broken one", "GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET /health HTTP/1.1\nHost: a\r\n\r\n", &[200, 400], Closed),
    // Two words on the body's length.
    case("CL.TE", concat!("POST /items HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", smuggled!()), &[400], Closed),
    case("TE.CL", concat!("POST /items HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n", smuggled!()), &[400], Closed),
    case("TE.TE", concat!(post!("Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n", "0\r\n\r\n"), smuggled!()), &[400], Closed),
    case("TE twice", concat!(post!("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), smuggled!()), &[400], Closed),
    case("an encoding before chunked", concat!(post!("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), smuggled!()), &[400], Closed),
    case("an encoding after chunked", concat!(post!("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), smuggled!()), &[400], Closed),
    case("a vertical tab before chunked", concat!(post!("Transfer-Encoding: \u{b}chunked\r\n", "0\r\n\r\n"), smuggled!()), &[400], Closed),
    case("a quoted encoding", concat!(post!("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), smuggled!()), &[400], Closed),
    case("a space before TE's colon", concat!(post!("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), smuggled!()), &[400], Closed),
    case("TE on a folded line", concat!(post!("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), smuggled!()), &[400], Closed),
    case("two lengths", concat!(post!("Content-Length: 2\r\nContent-Length: 3\r\n", "{}"), smuggled!()), &[400], Closed),
    case("one length twice", concat!(post!("Content-Length: 2\r\nContent-Length: 2\r\n", "{}"), smuggled!()), &[400], Closed),
    case("a list of one length", concat!(post!("Content-Length: 2, 2\r\n", "{}"), smuggled!()), &[400], Closed),
    case("a length with a sign", concat!(post!("Content-Length: +2\r\n", "{}"), smuggled!()), &[400], Closed),
    case("a length in hexadecimal", concat!(post!("Content-Length: 0x2\r\n", "{}"), smuggled!()), &[400], Closed),
    case("an empty length", concat!(post!("Content-Length:\r\n", "{}"), smuggled!()), &[400], Closed),
    case("a length beyond numbers", post!("Content-Length: 99999999999999999999\r\n", "{}"), &[400], Closed),
    case("a body with GET", concat!("GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\n", smuggled!()), &[200], Either),
    case("a body that holds a bare LF", post!("Content-Length: 4\r\n", "{\n}\n"), &[422], Open),
    // Chunks (RFC 9112, section 7.1).
    case("chunks", post!("Transfer-Encoding: chunked\r\n", "1\r\n{\r\n01\r\n}\r\n0\r\n\r\n"), &[422], Open),
    case("chunks and another request", concat!(post!("Transfer-Encoding: Chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"), "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"), &[422, 404], Open),
    case("an extension", post!("Transfer-Encoding: chunked\r\n", "2;a=b;c=\"d\"\r\n{}\r\n0;e\r\n\r\n"), &[422], Open),
    case("trailers", post!("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\nX: y\r\nContent-Length: 9\r\n\r\n"), &[422], Open),
    case("a size with a sign", post!("Transfer-Encoding: chunked\r\n", "+2\r\n{}\r\n0\r\n\r\n"), &[400], Closed),
    case("a size that is none", post!("Transfer-Encoding: chunked\r\n", "x\r\n{}\r\n0\r\n\r\n"), &[400], Closed),
    case("an empty size", post!("Transfer-Encoding: chunked\r\n", "\r\n{}\r\n0\r\n\r\n"), &[400], Closed),
    case("a size beyond numbers", post!("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"), &[400], Closed),
    case("a size with a bare LF", post!("Transfer-Encoding: chunked\r\n", "2\n{}\r\n0\r\n\r\n"), &[400], Closed),
    case("an extension with a bare LF", concat!(post!("Transfer-Encoding: chunked\r\n", "2;\n{}\r\n0\r\n\r\n"), smuggled!()), &[400], Closed),
    case("a chunk longer than its size", post!("Transfer-Encoding: chunked\r\n", "1\r\n{}\r\n0\r\n\r\n"), &[400], Closed),
    case("a trailer with a bare LF", concat!(post!("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\nX: y\n\r\n"), smuggled!()), &[400], Closed),
];
