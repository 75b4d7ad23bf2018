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

/// Where an upload will appear: the path of its URL, percent-encoded, with a leading slash.
pub const TARGET: &str = "gaveta-target";
/// The version (in quotes) that an upload starts from: what is not sent is taken from there.
pub const BASE: &str = "gaveta-base";
/// `START-END`, the end exclusive: the range that a body of chunks brings.
pub const RANGE: &str = "gaveta-range";
/// In the answer to a body of chunks: how many bytes of content were kept.
pub const KEPT: &str = "gaveta-kept";
/// The length of the whole content.
pub const LENGTH: &str = "gaveta-length";
/// `?1`: the upload is finished by `commit`, not by its last byte.
pub const MANUAL: &str = "gaveta-manual";
