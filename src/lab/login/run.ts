import type { Clock } from "#base/clock.ts";
import { messageOf } from "#base/errors.ts";
import { StepFailure } from "../check/step.ts";
import type { CheckTarget } from "../check/target.ts";
import {
  type Allowed,
  askWhatIsAllowed,
  type Credentials,
  type SignedIn,
  signInOverHttp,
  signInOverWebSocket,
  signOut,
} from "./steps.ts";

export type LoginStep = "http" | "identity" | "websocket" | "sign-out";

export interface LoginStepReport {
  readonly name: LoginStep;
  readonly ok: boolean;
  /** Milliseconds it took. */
  readonly ms: number;
  /** What was found, or why it failed. */
  readonly detail: string;
  /** What to do about a failure; null: nothing. */
  readonly advice: string | null;
}

export interface LoginReport {
  readonly ok: boolean;
  readonly role: string | null;
  /** When the access token ends, ISO 8601. */
  readonly expiresAt: string | null;
  readonly subscribe: readonly string[];
  readonly publish: readonly string[];
  readonly steps: readonly LoginStepReport[];
}

/** Every step that can be made is made; a failed one is told and keeps back those that need it. */
export async function testLogin(
  target: CheckTarget,
  credentials: Credentials,
  timeoutMs: number,
  clock: Clock,
  onStep: (step: LoginStepReport) => void,
): Promise<LoginReport> {
  const steps: LoginStepReport[] = [];
  const sessions: SignedIn[] = [];
  const step = async <Found>(
    name: LoginStep,
    work: (signal: AbortSignal) => Promise<Found>,
    detailOf: (found: Found) => string,
  ): Promise<Found | null> => {
    const startMs = clock.monotonicMs();
    const end = (ok: boolean, detail: string, advice: string | null): void => {
      const report = { name, ok, ms: Math.round((clock.monotonicMs() - startMs) * 10) / 10, detail, advice };
      steps.push(report);
      onStep(report);
    };
    try {
      const found = await work(AbortSignal.timeout(timeoutMs));
      end(true, detailOf(found), null);
      return found;
    } catch (thrown) {
      end(false, messageOf(thrown), thrown instanceof StepFailure ? thrown.advice : null);
      return null;
    }
  };

  const overHttp = await step("http", (signal) => signInOverHttp(target, credentials, signal), signedInText);
  if (overHttp !== null) sessions.push(overHttp);
  const allowed =
    overHttp === null
      ? null
      : await step(
          "identity",
          (signal) => askWhatIsAllowed(target, overHttp.accessToken, signal),
          allowedText,
        );
  const overWebSocket = await step(
    "websocket",
    (signal) => signInOverWebSocket(target, credentials, signal),
    signedInText,
  );
  if (overWebSocket !== null) sessions.push(overWebSocket);
  if (sessions.length > 0) {
    await step(
      "sign-out",
      (signal) => signOut(target, sessions, signal),
      () => `${sessions.length} sessions ended`,
    );
  }
  return {
    ok: steps.every(({ ok }) => ok),
    role: (overHttp ?? overWebSocket)?.role ?? null,
    expiresAt: allowed?.expiresAt ?? null,
    subscribe: allowed?.subscribe ?? [],
    publish: allowed?.publish ?? [],
    steps,
  };
}

function signedInText(found: SignedIn): string {
  return `role ${found.role}, for ${Math.round(found.expiresInS)} s`;
}

function allowedText(found: Allowed): string {
  const rights = `${found.subscribe.length} to subscribe, ${found.publish.length} to publish`;
  return found.admin ? `${rights}, administrator` : rights;
}
