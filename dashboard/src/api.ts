import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { authorised } from "./session.ts";

/** What the gateway answered instead of what was asked for. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** @throws ApiError, or TypeError when the gateway can't be reached */
export async function ask<Answer>(method: string, path: string, body?: object): Promise<Answer> {
  const response = await authorised(`/admin/api/v1${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new ApiError(response.status, String(answer.error_description ?? response.status));
  return answer as Answer;
}

export interface Polled<Answer> {
  readonly data: Answer | null;
  /** Why the last attempt failed, for people; null when it did not. */
  readonly fault: string | null;
  /** Asks now. */
  readonly again: () => void;
}

const SLOWEST_MS = 30_000;

/**
 * Asks again and again while the page is seen: one question at a time, more slowly while it fails.
 *
 * @param path null: nothing is asked
 */
export function usePolled<Answer>(path: string | null, everyMs: number): Polled<Answer> {
  const [state, setState] = useState<{ path: string | null; data: Answer | null; fault: string | null }>({
    path,
    data: null,
    fault: null,
  });
  const kick = useRef<() => void>(() => {});
  useEffect(() => {
    if (path === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    let asking = false;
    let failures = 0;
    const look = async () => {
      clearTimeout(timer);
      if (over || asking || document.hidden) return;
      asking = true;
      try {
        const data = await ask<Answer>("GET", path);
        failures = 0;
        if (!over) setState({ path, data, fault: null });
      } catch (error) {
        failures++;
        if (!over) setState((held) => ({ path, data: held.data, fault: faultText(error) }));
      }
      asking = false;
      if (!over) timer = setTimeout(look, Math.min(everyMs * 2 ** failures, SLOWEST_MS));
    };
    const seen = () => {
      if (!document.hidden) void look();
    };
    document.addEventListener("visibilitychange", seen);
    kick.current = () => void look();
    void look();
    return () => {
      over = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [path, everyMs]);
  const again = useCallback(() => kick.current(), []);
  return { data: state.data, fault: state.fault, again };
}

export function faultText(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  return "The gateway can't be reached. Trying again.";
}
