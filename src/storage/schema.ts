/** The tables, as rows are read. Times are milliseconds since the Unix epoch; truth values are 0 and 1. */
export interface Tables {
  users: {
    name: string;
    password_hash: string;
    role: string;
    disabled: number;
    created_ms: number;
    updated_ms: number;
  };
  sessions: {
    id: string;
    user_name: string;
    family_hash: string;
    token_hash: string;
    previous_token_hash: string | null;
    created_ms: number;
    rotated_ms: number;
    expires_ms: number;
    revoked_ms: number | null;
  };
  revoked_tokens: {
    id: string;
    revoked_ms: number;
    expires_ms: number;
  };
  signing_keys: {
    generation: number;
    kid: string;
    algorithm: string;
    private_jwk: string;
    created_ms: number;
  };
  link_cursors: {
    feed: string;
    link: string;
    last_event_id: string;
    saved_ms: number;
  };
  error_groups: {
    kind: string;
    room: string;
    code: string;
    peer: string;
    sample: string;
    count: number;
    first_ms: number;
    last_ms: number;
  };
}
