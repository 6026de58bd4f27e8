import { codeOf } from "#base/errors.ts";
import { CloseReason } from "#protocol/close-reason.ts";

/** The reason that a socket's error stands for. */
export function reasonOfSocketError(error: unknown): CloseReason {
  switch (codeOf(error)) {
    case "ECONNRESET":
    case "EPIPE":
    case "ECONNABORTED":
    // An HTTP/2 client's RST_STREAM or GOAWAY with an error.
    case "ERR_HTTP2_STREAM_ERROR":
    case "ERR_HTTP2_SESSION_ERROR":
      return CloseReason.connection_reset;
    case "ERR_HTTP2_ERROR":
      return CloseReason.bad_request;
    case "http2_flood":
      return CloseReason.too_many_requests;
    case "ETIMEDOUT":
    // An HTTP/2 client that does not answer PINGs.
    case "http2_silent":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "ENETDOWN":
      return CloseReason.timed_out;
    default:
      return CloseReason.write_error;
  }
}
