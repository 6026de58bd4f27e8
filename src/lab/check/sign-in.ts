import { ask, explainStatus } from "./http.ts";
import { type Finding, StepFailure } from "./step.ts";
import type { CheckTarget } from "./target.ts";

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Signs in over HTTP; hands over the access token. */
export async function checkSignIn(
  target: CheckTarget,
  { user, password }: Credentials,
  signal: AbortSignal,
): Promise<Finding & { readonly token: string }> {
  const answer = await ask(
    target,
    "/auth/login",
    {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ login: user, password }),
    },
    signal,
  );
  if (answer.status === 401 || answer.body.includes('"invalid_grant"')) {
    throw new StepFailure(
      `signing in as ${user} was refused with ${answer.status}: wrong name or password, or the user is disabled`,
      "Set the password with `streamkeeper user passwd`, or see `streamkeeper user list` for who exists and is enabled.",
    );
  }
  if (answer.status !== 200) throw explainStatus("POST /auth/login", answer);
  const session = parseSession(answer.body);
  const detail = `signed in as ${user}, role ${session.role}, for ${Math.round(session.expiresInS / 60)} min`;
  return { detail, token: session.accessToken };
}

function parseSession(body: string): { accessToken: string; role: string; expiresInS: number } {
  try {
    const { access_token: accessToken, role, expires_in: expiresInS } = JSON.parse(body);
    if (typeof accessToken === "string" && typeof expiresInS === "number") {
      return { accessToken, role: String(role), expiresInS };
    }
  } catch {
    // Not JSON: told below.
  }
  throw new StepFailure(
    "POST /auth/login answered 200, but with no token",
    "Something else answers there: check the routes of any proxy.",
  );
}
