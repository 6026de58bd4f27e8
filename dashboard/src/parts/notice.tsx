import { useCallback, useState } from "preact/hooks";
import { faultText } from "../api.ts";

/** Runs what a button asks for, and says how it went. */
export function useAction(): {
  readonly notice: { readonly text: string; readonly isFault: boolean } | null;
  readonly act: (done: string, run: () => Promise<unknown>) => void;
} {
  const [notice, setNotice] = useState<{ text: string; isFault: boolean } | null>(null);
  const act = useCallback((done: string, run: () => Promise<unknown>) => {
    setNotice(null);
    run().then(
      () => setNotice({ text: done, isFault: false }),
      (error: unknown) => setNotice({ text: faultText(error), isFault: true }),
    );
  }, []);
  return { notice, act };
}

export function Notice({ notice }: { notice: { text: string; isFault: boolean } | null }) {
  return (
    <p role="status" class={notice?.isFault === true ? "notice fault" : "notice"}>
      {notice?.text}
    </p>
  );
}

/** What stands in for data: not there yet, or not to be had. */
export function Waiting({ fault }: { fault: string | null }) {
  return (
    <p role="status" class={fault === null ? "waiting" : "waiting fault"}>
      {fault ?? "Asking the gateway …"}
    </p>
  );
}
