//! Names of header fields, lower case, beyond those of HTTP itself.

/// RFC 9530: the digest of the whole representation. In a PUT also as a trailer.
pub const REPR_DIGEST: &str = "repr-digest";
/// RFC 9530: the digest of this message's content.
pub const CONTENT_DIGEST: &str = "content-digest";
/// RFC 9530: which digests the client would like.
pub const WANT_REPR_DIGEST: &str = "want-repr-digest";
/// The length of what a PUT sends, when it is not in Content-Length (a chunked PUT with trailers).
pub const UPLOAD_LENGTH: &str = "upload-length";
/// The modified time to the nanosecond (RFC 3339), both ways; Last-Modified knows only seconds.
pub const MODIFIED: &str = "gaveta-modified";
/// `?1` or `?0`: may the file be run; both ways.
pub const EXECUTABLE: &str = "gaveta-executable";
/// The stable code of an error, beside its body.
pub const ERROR: &str = "gaveta-error";
